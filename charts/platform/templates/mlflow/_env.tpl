{{- define "platform.adminEnv" -}}
- name: MLFLOW_AUTH_ADMIN_USERNAME
  value: {{ .Values.mlflow.auth.adminUsername | quote }}
- name: MLFLOW_AUTH_ADMIN_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ include "platform.authSecret" . }}
      key: admin-password
{{- end }}

{{/* Host names that the server accepts in requests. */}}
{{- define "platform.allowedHosts" -}}
{{- $service := printf "%s-mlflow" (include "platform.fullname" .) -}}
{{- $hosts := list "localhost" "localhost:*" "127.0.0.1" "127.0.0.1:*" -}}
{{- range list "" (printf ".%s" .Release.Namespace) (printf ".%s.svc" .Release.Namespace) (printf ".%s.svc.cluster.local" .Release.Namespace) -}}
{{- $hosts = concat $hosts (list (print $service .) (printf "%s%s:%d" $service . (int $.Values.mlflow.service.port))) -}}
{{- end -}}
{{- with .Values.ingress.host }}{{ $hosts = append $hosts . }}{{ end -}}
{{- join "," (concat $hosts .Values.mlflow.allowedHosts) -}}
{{- end }}
