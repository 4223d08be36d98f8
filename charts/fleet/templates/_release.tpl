{{/* Data of the ConfigMap of a unit's pods: the manifest of their models, and their ports. */}}
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
{{- $json := toPrettyJson $manifest | replace "\u0085" "\\u0085" -}}{{/* YAML reads it as the end of a line */}}
{{- dict "manifest.json" (printf "%s\n" $json) "pods.json" (printf "%s\n" (toJson $pods)) | toYaml -}}
{{- end }}

{{/* Name of that ConfigMap: it changes with the content. */}}
{{- define "fleet.releaseName" -}}
{{ .name }}-{{ include "fleet.releaseData" . | sha256sum | trunc 10 }}
{{- end }}
