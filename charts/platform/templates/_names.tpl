{{- define "platform.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- end }}

{{- define "platform.labels" -}}
{{ include "platform.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "platform.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "platform.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag }}{{ end }}
{{- end -}}
{{- end }}

{{- define "platform.authSecret" -}}
{{- default (printf "%s-auth" (include "platform.fullname" .)) .Values.mlflow.auth.existingSecret -}}
{{- end }}

{{- define "platform.postgresqlSecret" -}}
{{- if .Values.postgresql.enabled -}}
{{- default (printf "%s-postgresql" (include "platform.fullname" .)) .Values.postgresql.existingSecret -}}
{{- else -}}
{{- .Values.externalPostgresql.existingSecret -}}
{{- end -}}
{{- end }}

{{- define "platform.s3Secret" -}}
{{- if .Values.s3.existingSecret -}}
{{- .Values.s3.existingSecret -}}
{{- else if .Values.s3Server.enabled -}}
{{- printf "%s-s3" (include "platform.fullname" .) -}}
{{- end -}}
{{- end }}

{{/* What the servers of this chart speak: http or https. */}}
{{- define "platform.scheme" -}}
{{- ternary "https" "http" (ne .Values.tls.existingSecret "") -}}
{{- end }}

{{- define "platform.s3Endpoint" -}}
{{- if .Values.s3Server.enabled -}}
{{ include "platform.scheme" . }}://{{ include "platform.fullname" . }}-s3.{{ .Release.Namespace }}.svc:7070
{{- else -}}
{{- .Values.s3.endpoint -}}
{{- end -}}
{{- end }}

{{/* Address of MLflow for pods of the cluster. */}}
{{- define "platform.trackingUri" -}}
{{ include "platform.scheme" . }}://{{ include "platform.fullname" . }}-mlflow.{{ .Release.Namespace }}.svc:{{ .Values.mlflow.service.port }}
{{- end }}

{{/* Value of an entry of a generated Secret: the existing one, else a random one. */}}
{{- define "platform.kept" -}}
{{- $there := lookup "v1" "Secret" .root.Release.Namespace .secret -}}
{{- $value := dig "data" .key "" (default dict $there) -}}
{{- if $value }}{{ $value }}{{ else }}{{ randAlphaNum 32 | b64enc }}{{ end -}}
{{- end }}
