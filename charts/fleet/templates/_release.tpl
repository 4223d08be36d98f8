{{/* What a unit's pods are told of what they answer with: the data of its ConfigMap. */}}
{{- define "fleet.releaseData" -}}
{{- $newest := "" -}}
{{- range .skills -}}
{{- $created := dig "created_at" "" (default dict .provenance) | default "" -}}
{{- if gt $created $newest -}}{{- $newest = $created -}}{{- end -}}
{{- end -}}
{{- $manifest := dict
  "apiVersion" "coachworks.dev/v1"
  "kind" "Bundle"
  "fleet" .fleet
  "created_at" $newest
  "backbone" .backbone
  "skills" .skills -}}
{{- $pods := dict "group" .group "track" .track "ports" .ports -}}
{{- $json := toPrettyJson $manifest | replace "\u0085" "\\u0085" -}}{{/* which YAML takes for the end of a line */}}
{{- dict "manifest.json" (printf "%s\n" $json) "pods.json" (printf "%s\n" (toJson $pods)) | toYaml -}}
{{- end }}

{{/* Name of that ConfigMap: another content, another name. */}}
{{- define "fleet.releaseName" -}}
{{ .name }}-{{ include "fleet.releaseData" . | sha256sum | trunc 10 }}
{{- end }}
