{{/* True if any pod fetches models from a store. */}}
{{- define "fleet.fetches" -}}
{{- range (include "fleet.units" (dict "root" .) | fromJson).units -}}
{{- if eq .models.source "store" }}true{{ end -}}
{{- end -}}
{{- end }}
