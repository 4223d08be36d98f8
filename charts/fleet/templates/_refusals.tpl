{{/* Rules for the values of a track that the schema cannot express: dict root, track. */}}
{{- define "fleet.refuse" -}}
{{- $where := ternary "canary.values." "" (eq .track "canary") -}}
{{- $values := include "fleet.valuesOf" . | fromJson -}}
{{- range $name, $skill := $values.skills -}}
{{- include "fleet.refuseSkill" (dict "name" $name "skill" $skill "where" (printf "%sskills.%s" $where $name)) -}}
{{- include "fleet.refuseEnvironment" (dict "of" $skill "where" (printf "%sskills.%s" $where $name)) -}}
{{- end -}}
{{- include "fleet.refuseEnvironment" (dict "of" $values.shared "where" (printf "%sshared" $where)) -}}
{{- if $values.skills -}}
{{- if and (eq $values.models.source "store") (not $values.models.store) -}}
{{- fail (printf "%smodels.store must be set with models.source: store: the store with the models, s3://bucket/prefix" $where) -}}
{{- end -}}
{{- if not $values.backbone -}}
{{- fail (printf "%sbackbone must be set: the part `backbone` of the bundle's manifest.json" $where) -}}
{{- end -}}
{{- end -}}
{{- if and $values.models.certificateAuthority.configMap $values.models.certificateAuthority.secret -}}
{{- fail (printf "%smodels.certificateAuthority must name a configMap or a secret, not both" $where) -}}
{{- end -}}
{{- end }}

{{/* Rules for one skill: dict name, skill, where. */}}
{{- define "fleet.refuseSkill" -}}
{{- $layouts := list (default "shared" .skill.layout) (default "" .skill.moving) -}}
{{- if not (has "dedicated" $layouts) -}}
{{- range $key := list "replicas" "cpu" "memory" "environment" "health" "autoscaling" "image" "imagePullSecrets" -}}
{{- if get $.skill $key -}}
{{- $place := ternary $key (printf "shared.%s" $key) (hasPrefix "image" $key) -}}
{{- fail (printf "%s.%s cannot be set: %s shares its pods with the other skills of layout shared. Set %s for all of them, or layout: dedicated for pods of its own" $.where $key $.name $place) -}}
{{- end -}}
{{- end -}}
{{- else if eq .name "shared" -}}
{{- fail (printf "%s.layout cannot be dedicated: its pods would have the name of the shared pods. Rename the skill" .where) -}}
{{- end -}}
{{- end }}

{{- define "fleet.refuseEnvironment" -}}
{{- range $name := include "fleet.ownVariables" . | fromYamlArray -}}
{{- if hasKey (default dict $.of.environment) $name -}}
{{- fail (printf "%s.environment cannot set %s: the chart or the image does" $.where $name) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Services with the same name, and invalid names. */}}
{{- define "fleet.refuseServices" -}}
{{- $known := dict -}}
{{- $ports := dict -}}
{{- $services := (include "fleet.services" . | fromJson).services -}}
{{- if .Values.monitoring.serviceMonitor.enabled -}}
{{- $services = append $services (dict "of" "monitoring" "name" (include "fleet.short" (printf "%s-metrics" .Release.Name))) -}}
{{- end -}}
{{- range $services -}}
{{- if hasKey $known .name -}}
{{- fail (printf "%s and %s cannot both have the Service %s: set serviceName of a skill, or service.name" (get $known .name) .of .name) -}}
{{- end -}}
{{- $_ := set $known .name .of -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$" .name) -}}
{{- fail (printf "the Service of %s cannot have the name %s: names of Services begin with a letter, contain no dot and have at most 63 characters. Set serviceName of the skill, or service.name" .of .name) -}}
{{- end -}}
{{- end -}}
{{- range $name, $skill := .Values.skills -}}
{{- $port := include "fleet.portName" (dict "name" $name "skill" $skill) -}}
{{- if hasKey $ports $port -}}
{{- fail (printf "the skills %s and %s cannot both have the port %s: rename one" (get $ports $port) $name $port) -}}
{{- end -}}
{{- $_ := set $ports $port $name -}}
{{- end -}}
{{- end }}

{{- define "fleet.refuseCanary" -}}
{{- $groups := include "fleet.groups" (include "fleet.valuesOf" (dict "root" . "track" "canary") | fromJson) | fromJson -}}
{{- range .Values.canary.groups -}}
{{- if not (hasKey $groups .) -}}
{{- fail (printf "canary.groups names %s, which is not a group: shared, or a skill of layout dedicated; the canary has: %s" . (keys $groups | sortAlpha | join ", " | default "none")) -}}
{{- end -}}
{{- end -}}
{{- range $group, $_ := .Values.canary.replicas -}}
{{- if not (has $group $.Values.canary.groups) -}}
{{- fail (printf "canary.replicas names %s, which canary.groups does not" $group) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Custom labels must not be labels of the chart: dict labels, where. */}}
{{- define "fleet.refuseLabels" -}}
{{- range $name, $_ := .labels -}}
{{- if regexMatch "^(app\\.kubernetes\\.io|helm\\.sh|coachworks\\.dev)/" $name -}}
{{- fail (printf "%s cannot set %s: the chart sets such labels" $.where $name) -}}
{{- end -}}
{{- end -}}
{{- end }}
