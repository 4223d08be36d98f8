{{/* What selects the pod of `helm test`, and is no part of what selects the pods that answer. */}}
{{- define "fleet.checkSelector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-check
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
