{{/*
A unit: the pods of one track of one group, with everything that their objects are rendered from. Templates that
render one object per unit read `fleet.units`.
*/}}

{{/* The units of a track, or of both without one, as JSON: dict root, track. */}}
{{- define "fleet.units" -}}
{{- $root := .root -}}
{{- $units := list -}}
{{- range $track := ternary (list .track) (list "stable" "canary") (hasKey . "track") -}}
{{- $values := include "fleet.valuesOf" (dict "root" $root "track" $track) | fromJson -}}
{{- range $group, $skills := include "fleet.groups" $values | fromJson -}}
{{- if or (eq $track "stable") (has $group $root.Values.canary.groups) -}}
{{- $unit := dict "root" $root "values" $values "track" $track "group" $group "skills" $skills -}}
{{- $units = append $units (include "fleet.unit" $unit | fromJson) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- dict "units" $units | toJson -}}
{{- end }}

{{/* The groups of the values: models by skill, by name of the group; as JSON. */}}
{{- define "fleet.groups" -}}
{{- $groups := dict -}}
{{- range $name, $skill := .skills -}}
{{- range $layout := list (default "shared" $skill.layout) (default "" $skill.moving) | uniq | compact -}}
{{- $group := ternary $name "shared" (eq $layout "dedicated") -}}
{{- $_ := set $groups $group (set (default dict (get $groups $group)) $name $skill.model) -}}
{{- end -}}
{{- end -}}
{{- toJson $groups -}}
{{- end }}

{{/* One unit, as JSON: dict root, values, track, group, skills. */}}
{{- define "fleet.unit" -}}
{{- $values := .values -}}
{{- $dedicated := ne .group "shared" -}}
{{- $stable := eq .track "stable" -}}
{{- $own := $values.shared -}}
{{- $pods := (include "fleet.defaults" . | fromYaml).shared -}}
{{- if $dedicated -}}{{- $own = index $values.skills .group -}}{{- end -}}
{{- $image := include "fleet.imageOf" (dict "base" $values.image "own" (ternary $own.image dict $dedicated)) | fromJson -}}
{{- $autoscaling := include "fleet.overlaid" (dict "base" $values.autoscaling "over" (default dict $own.autoscaling)) | fromJson -}}
{{- $ports := dict -}}
{{- $portNames := dict -}}
{{- range $index, $skill := keys .skills | sortAlpha -}}
{{- $_ := set $ports $skill (add 9000 $index) -}}
{{- $_ := set $portNames $skill (include "fleet.portName" (dict "name" $skill "skill" (index $values.skills $skill))) -}}
{{- end -}}
{{- dict
  "name" (include "fleet.groupName" .)
  "group" .group
  "track" .track
  "fleet" (default .root.Release.Name $values.fleet)
  "releaseDigest" (default "" $values.releaseDigest)
  "run" (ternary (default "" $own.run) "" $dedicated)
  "skills" .skills
  "ports" $ports
  "portNames" $portNames
  "backbone" $values.backbone
  "models" $values.models
  "image" (include "fleet.image" (dict "root" .root "image" $image))
  "pullPolicy" $image.pullPolicy
  "version" (include "fleet.imageVersion" (dict "root" .root "image" $image))
  "pullSecrets" (ternary (default $values.imagePullSecrets $own.imagePullSecrets) $values.imagePullSecrets $dedicated)
  "autoscaling" (set $autoscaling "enabled" (and $stable $autoscaling.enabled))
  "replicas" (ternary (default $pods.replicas $own.replicas) (default 1 (get .root.Values.canary.replicas .group)) $stable)
  "cpu" (default $pods.cpu $own.cpu)
  "memory" (default $pods.memory $own.memory)
  "environment" (default dict $own.environment)
  "health" (include "fleet.overlaid" (dict "base" $values.health "over" (default dict $own.health)) | fromJson)
  "drainSeconds" $values.drainSeconds
  "apiKeys" $values.apiKeys.existingSecret
  "certificate" $values.tls.existingSecret
  "securityContext" $values.securityContext
  "priorityClassName" $values.priorityClassName
  "nodeSelector" $values.nodeSelector
  "tolerations" $values.tolerations
  "topologySpread" $values.topologySpread.enabled
  | toJson -}}
{{- end }}

{{/* Image of a skill, as JSON; with its own tag or digest, neither is taken from the base: dict base, own. */}}
{{- define "fleet.imageOf" -}}
{{- $own := default dict .own -}}
{{- $base := .base -}}
{{- if or $own.repository $own.tag $own.digest -}}{{- $base = omit $base "tag" "digest" -}}{{- end -}}
{{- include "fleet.overlaid" (dict "base" $base "over" (pick $own "repository" "tag" "digest" "pullPolicy")) -}}
{{- end }}

{{/* Minimum number of pods of a unit. */}}
{{- define "fleet.fewestPods" -}}
{{- if .autoscaling.enabled }}{{ int .autoscaling.minReplicas }}{{ else }}{{ int .replicas }}{{ end -}}
{{- end }}
