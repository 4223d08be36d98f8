{{/*
What the values of a track are where `canary.values` leaves something out: as values.yaml has it, which templates cannot
read.
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
topologySpread: {enabled: true}
securityContext: {runAsUser: 10001, runAsGroup: 10001}
{{- end }}

{{/* The values that a track is made from, as JSON: dict root, track. */}}
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

{{/* A dictionary with what another says in place of its own, as JSON: dict base, over. */}}
{{- define "fleet.overlaid" -}}
{{- $made := deepCopy .base -}}
{{- range $key, $value := .over -}}
{{- if and (kindIs "map" $value) (kindIs "map" (get $made $key)) -}}
{{- $value = include "fleet.overlaid" (dict "base" (get $made $key) "over" $value) | fromJson -}}
{{- end -}}
{{- $_ := set $made $key $value -}}
{{- end -}}
{{- toJson $made -}}
{{- end }}
