{{- define "platform.podSecurityContext" -}}
runAsNonRoot: true
{{- with .Values.securityContext }}
{{- if .runAsUser }}
runAsUser: {{ .runAsUser }}
{{- end }}
{{- if .runAsGroup }}
runAsGroup: {{ .runAsGroup }}
fsGroup: {{ .runAsGroup }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "platform.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
privileged: false
capabilities:
  drop: [ALL]
{{- end }}

{{- define "platform.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/*
Pod management policy of a StatefulSet. With Parallel, a corrected template replaces a pod that never became ready; with
OrderedReady, the controller waits for that pod for ever. The field cannot be changed, so an existing StatefulSet keeps its own.
*/}}
{{- define "platform.podManagementPolicy" -}}
{{- $there := lookup "apps/v1" "StatefulSet" .root.Release.Namespace .name -}}
{{- dig "spec" "podManagementPolicy" "Parallel" (default dict $there) -}}
{{- end }}

{{/* Environment variables of libpq. */}}
{{- define "platform.postgresqlEnv" -}}
- name: PGHOST
  value: {{ if .Values.postgresql.enabled }}{{ include "platform.fullname" . }}-postgresql{{ with .Values.tls.existingSecret }}.{{ $.Release.Namespace }}.svc{{ end }}{{ else }}{{ .Values.externalPostgresql.host | quote }}{{ end }}
- name: PGPORT
  value: {{ ternary 5432 .Values.externalPostgresql.port .Values.postgresql.enabled | toString | quote }}
- name: PGDATABASE
  value: {{ ternary "mlflow" .Values.externalPostgresql.database .Values.postgresql.enabled | quote }}
- name: PGUSER
  value: {{ ternary "mlflow" .Values.externalPostgresql.username .Values.postgresql.enabled | quote }}
- name: PGPASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "platform.postgresqlSecret" . }}
      key: password
- name: PGCONNECT_TIMEOUT # without it, a lost packet costs the kernel's time-out of two minutes
  value: "10"
- name: PGSSLMODE
  value: {{ ternary (ternary "verify-full" "disable" (ne .Values.tls.existingSecret "")) .Values.externalPostgresql.sslMode .Values.postgresql.enabled | quote }}
{{- if or (include "platform.ownAuthority" .) (and .Values.tls.existingSecret .Values.postgresql.enabled) }}
- name: PGSSLROOTCERT
  value: /etc/coachworks/authority/ca.crt
{{- end }}
{{- end }}

{{/* Environment variables of boto3. */}}
{{- define "platform.s3Env" -}}
- name: AWS_REGION
  value: {{ .Values.s3.region | quote }}
- name: AWS_DEFAULT_REGION
  value: {{ .Values.s3.region | quote }}
{{- with include "platform.s3Endpoint" . }}
- name: AWS_ENDPOINT_URL
  value: {{ . | quote }}
{{- end }}
{{- with include "platform.s3Secret" . }}
{{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ include "platform.s3Secret" $ }}
      key: {{ . }}
{{- end }}
{{- end }}
{{- if or (include "platform.ownAuthority" .) (and .Values.tls.existingSecret .Values.s3Server.enabled) }}
- name: AWS_CA_BUNDLE
  value: /etc/coachworks/authority/ca.crt
{{- end }}
{{- end }}

{{- define "platform.backupEnv" -}}
{{- if .Values.backup.enabled }}
- name: BACKUP_BUCKET
  value: {{ default .Values.s3.bucket .Values.backup.bucket | quote }}
- name: BACKUP_PREFIX
  value: {{ default (printf "backups/%s/%s" .Release.Namespace .Release.Name) .Values.backup.prefix | quote }}
- name: BACKUP_KEEP
  value: {{ .Values.backup.keep | toString | quote }}
{{- end }}
{{- end }}

{{- define "platform.ownAuthority" -}}
{{- with .Values.certificateAuthority }}{{ or .configMap .secret }}{{ end -}}
{{- end }}

{{/* What clients verify servers with: the certificates of certificateAuthority, else those beside this chart's certificate. */}}
{{- define "platform.hasAuthority" -}}
{{- or (include "platform.ownAuthority" .) .Values.tls.existingSecret -}}
{{- end }}

{{/* Certificate and private key of a server of this chart. */}}
{{- define "platform.certificateMount" -}}
{{- if .Values.tls.existingSecret }}
- name: certificate
  mountPath: /etc/coachworks/certificate
  readOnly: true
{{- end }}
{{- end }}

{{- define "platform.certificateVolume" -}}
{{- with .Values.tls.existingSecret }}
- name: certificate
  secret:
    secretName: {{ . }}
    defaultMode: 0440 # PostgreSQL refuses a private key that others may read
    items:
      - {key: tls.crt, path: tls.crt}
      - {key: tls.key, path: tls.key}
{{- end }}
{{- end }}

{{- define "platform.authorityMount" -}}
{{- if include "platform.hasAuthority" . }}
- name: authority
  mountPath: /etc/coachworks/authority
  readOnly: true
{{- end }}
{{- end }}

{{- define "platform.authorityVolume" -}}
{{- if include "platform.hasAuthority" . }}
- name: authority
  {{- with .Values.certificateAuthority }}
  {{- if .configMap }}
  configMap:
    name: {{ .configMap }}
  {{- else }}
  secret:
    secretName: {{ default $.Values.tls.existingSecret .secret }}
  {{- end }}
    items:
      - {key: {{ ternary .key "ca.crt" (ne (include "platform.ownAuthority" $) "") | quote }}, path: ca.crt}
  {{- end }}
{{- end }}
{{- end }}
