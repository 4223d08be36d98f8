{{- define "fleet.podSecurityContext" -}}
runAsNonRoot: true
{{- with .runAsUser }}
runAsUser: {{ int . }}
{{- end }}
{{- with .runAsGroup }}
runAsGroup: {{ int . }}
fsGroup: {{ int . }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "fleet.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
privileged: false
capabilities:
  drop: [ALL]
{{- end }}

{{- define "fleet.pullSecrets" -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}

{{/* Memory cannot be throttled like CPU, so request equals limit. */}}
{{- define "fleet.resources" -}}
requests: {cpu: {{ .cpu | toString | quote }}, memory: {{ .memory | toString | quote }}}
limits: {memory: {{ .memory | toString | quote }}}
{{- end }}

{{/* Variables that the templates set, and `environment` must not. */}}
{{- define "fleet.ownVariables" -}}
- COACHWORKS_RELEASE
- COACHWORKS_BUNDLE
- COACHWORKS_STORE
- COACHWORKS_BENTO
- COACHWORKS_DRAINING
- COACHWORKS_LISTENING
- COACHWORKS_API_KEYS
- COACHWORKS_CERTIFICATE
- AWS_CA_BUNDLE
{{- end }}

{{- define "fleet.env" -}}
- name: COACHWORKS_RELEASE
  value: /etc/coachworks/release
- name: COACHWORKS_BUNDLE
  value: {{ ternary "/models" .models.folder (eq .models.source "store") | quote }}
{{- if not (hasKey .environment "COACHWORKS_SERVING_THREADS") }}
- name: COACHWORKS_SERVING_THREADS # default: the cores of the node, since CPU is not limited
  value: {{ include "fleet.cores" .cpu | quote }}
{{- end }}
{{- range $name, $value := .environment }}
- name: {{ $name }}
  value: {{ include "fleet.text" $value | quote }}
{{- end }}
{{- end }}

{{/* Environment variables of the service alone. */}}
{{- define "fleet.accessEnv" -}}
{{- if .apiKeys }}
- name: COACHWORKS_API_KEYS
  value: /etc/coachworks/api-keys
{{- end }}
{{- if .certificate }}
- name: COACHWORKS_CERTIFICATE
  value: /etc/coachworks/certificate
{{- end }}
{{- end }}

{{- define "fleet.accessMounts" -}}
{{- if .apiKeys }}
- {name: api-keys, mountPath: /etc/coachworks/api-keys, readOnly: true}
{{- end }}
{{- if .certificate }}
- {name: certificate, mountPath: /etc/coachworks/certificate, readOnly: true}
{{- end }}
{{- end }}

{{/* A value of an environment variable; whole numbers without an exponent. */}}
{{- define "fleet.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end }}

{{/* Whole cores of a quantity of CPU, at least 1. */}}
{{- define "fleet.cores" -}}
{{- $text := toString . -}}
{{- if hasSuffix "m" $text -}}
{{- max 1 (ceil (divf (trimSuffix "m" $text | float64) 1000) | int) -}}
{{- else -}}
{{- max 1 (ceil (float64 $text) | int) -}}
{{- end -}}
{{- end }}

{{/* Init container that fetches the models. */}}
{{- define "fleet.fetch" -}}
- name: models
  image: {{ .image | quote }}
  imagePullPolicy: {{ .pullPolicy }}
  command: [python, -m, serving.fetch]
  env:
    - name: COACHWORKS_STORE
      value: {{ .models.store | quote }}
    {{- if include "fleet.hasAuthority" . }}
    - name: AWS_CA_BUNDLE
      value: /etc/coachworks/authority/ca.crt
    {{- end }}
    {{- include "fleet.env" . | nindent 4 }}
  securityContext:
    {{- include "fleet.containerSecurityContext" . | nindent 4 }}
  resources:
    {{- include "fleet.resources" . | nindent 4 }}
  volumeMounts:
    - {name: scratch, mountPath: /tmp}
    - {name: release, mountPath: /etc/coachworks/release, readOnly: true}
    - {name: models, mountPath: /models}
    {{- range $index, $entry := .models.environment }}
    - name: environment-{{ $index }}
      mountPath: /etc/coachworks/environment/{{ $index }}-{{ coalesce $entry.secret $entry.configMap }}
      readOnly: true
    {{- end }}
    {{- if include "fleet.hasAuthority" . }}
    - {name: authority, mountPath: /etc/coachworks/authority, readOnly: true}
    {{- end }}
{{- end }}

{{- define "fleet.volumes" -}}
- name: scratch
  emptyDir: {sizeLimit: 1Gi}
- name: release
  configMap:
    name: {{ include "fleet.releaseName" . }}
{{- with .apiKeys }}
- name: api-keys
  secret:
    secretName: {{ . | quote }}
{{- end }}
{{- with .certificate }}
- name: certificate
  secret:
    secretName: {{ . | quote }}
    items: # without an entry, the pod does not start
      - {key: tls.crt, path: tls.crt}
      - {key: tls.key, path: tls.key}
{{- end }}
{{- if eq .models.source "store" }}
- name: models
  emptyDir: {sizeLimit: 4Gi}
{{- range $index, $entry := .models.environment }}
- name: environment-{{ $index }}
  {{- if $entry.secret }}
  secret:
    secretName: {{ $entry.secret | quote }}
  {{- else }}
  configMap:
    name: {{ $entry.configMap | quote }}
  {{- end }}
{{- end }}
{{- if include "fleet.hasAuthority" . }}
- name: authority
  {{- with .models.certificateAuthority }}
  {{- if .configMap }}
  configMap:
    name: {{ .configMap | quote }}
  {{- else }}
  secret:
    secretName: {{ .secret | quote }}
  {{- end }}
    items:
      - {key: {{ .key | quote }}, path: ca.crt}
  {{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "fleet.hasAuthority" -}}
{{- with .models.certificateAuthority }}{{ or .configMap .secret }}{{ end -}}
{{- end }}

{{- define "fleet.probes" -}}
startupProbe:
  httpGet: {path: {{ .health.path | quote }}, port: all{{ if .certificate }}, scheme: HTTPS{{ end }}}
  periodSeconds: 2
  timeoutSeconds: {{ int .health.timeoutSeconds }}
  failureThreshold: {{ ceil (divf .health.startupSeconds 2) | int }}
readinessProbe:
  httpGet: {path: {{ .health.path | quote }}, port: all{{ if .certificate }}, scheme: HTTPS{{ end }}}
  periodSeconds: {{ int .health.periodSeconds }}
  timeoutSeconds: {{ int .health.timeoutSeconds }}
  failureThreshold: {{ int .health.failureThreshold }}
livenessProbe:
  httpGet: {path: /livez, port: all{{ if .certificate }}, scheme: HTTPS{{ end }}}
  periodSeconds: 10
  timeoutSeconds: {{ int .health.timeoutSeconds }}
  failureThreshold: 6
{{- end }}
