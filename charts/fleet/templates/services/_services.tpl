{{- define "fleet.modelAnnotations" -}}
coachworks.dev/model-digest: {{ .model.head_sha256 | quote }}
{{- with .run }}
coachworks.dev/run: {{ . | quote }}
{{- end }}
{{- end }}

{{/* What clients of the Services speak: http or https. */}}
{{- define "fleet.scheme" -}}
{{- ternary "https" "http" (ne .Values.tls.existingSecret "") -}}
{{- end }}

{{/* Name of a skill's Service: dict name, skill. */}}
{{- define "fleet.skillService" -}}
{{- default .name .skill.serviceName -}}
{{- end }}

{{/* The Services of skills, as JSON: description, name, port and skills of each. */}}
{{- define "fleet.services" -}}
{{- $services := list -}}
{{- $shared := list -}}
{{- range $name, $skill := .Values.skills -}}
{{- $service := include "fleet.skillService" (dict "name" $name "skill" $skill) -}}
{{- $services = append $services (dict "of" (printf "the skill %s" $name) "name" $service "port" (default 8080 $skill.port) "skills" (list $name)) -}}
{{- if ne (default "shared" $skill.layout) "dedicated" -}}{{- $shared = append $shared $name -}}{{- end -}}
{{- end -}}
{{- if $shared -}}
{{- $services = append $services (dict "of" "all skills of layout shared" "name" (include "fleet.sharedService" .) "port" .Values.service.port "skills" $shared) -}}
{{- end -}}
{{- dict "services" $services | toJson -}}
{{- end }}
