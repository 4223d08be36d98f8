{{/* Selector of the pod of `helm test`; it does not match the serving pods. */}}
{{- define "fleet.checkSelector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-check
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
