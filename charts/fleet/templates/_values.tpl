{{/*
Defaults for keys that `canary.values` or a skill leave out: equal to those of values.yaml, which templates cannot read.
*/}}
{{- define "fleet.defaults" -}}
image: {repository: coachworks/serving, tag: "", digest: "", pullPolicy: IfNotPresent}
models:
  source: store
  store: ""
  folder: /opt/coachworks/bundle
  environment: []
  certificateAuthority: {configMap: "", secret: "", key: ca.crt}
shared: {replicas: 2, cpu: "1", memory: 2Gi, environment: {}, health: {}, autoscaling: {}}
health: {path: /readyz, startupSeconds: 120, periodSeconds: 5, timeoutSeconds: 3, failureThreshold: 3}
apiKeys: {existingSecret: ""}
tls: {existingSecret: "", authorityKey: ca.crt}
topologySpread: {enabled: true}
securityContext: {runAsUser: 10001, runAsGroup: 10001}
{{- end }}

{{/* Values of a track, as JSON: dict root, track. */}}
{{- define "fleet.valuesOf" -}}
{{- $values := omit .root.Values "canary" -}}
{{- if eq .track "canary" -}}
{{- $defaults := include "fleet.defaults" . | fromYaml -}}
{{- range $key, $value := .root.Values.canary.values -}}
{{- if hasKey $defaults $key -}}
{{- $value = include "fleet.overlaid" (dict "base" (index $defaults $key) "over" $value) | fromJson -}}
{{- end -}}
{{- $_ := set $values $key $value -}}
{{- end -}}
{{- end -}}
{{- toJson $values -}}
{{- end }}

{{/* Deep merge of two dictionaries, where the second takes precedence, as JSON: dict base, over. */}}
{{- define "fleet.overlaid" -}}
{{- $merged := deepCopy .base -}}
{{- range $key, $value := .over -}}
{{- if and (kindIs "map" $value) (kindIs "map" (get $merged $key)) -}}
{{- $value = include "fleet.overlaid" (dict "base" (get $merged $key) "over" $value) | fromJson -}}
{{- end -}}
{{- $_ := set $merged $key $value -}}
{{- end -}}
{{- toJson $merged -}}
{{- end }}
