{{/* A name of at most 63 characters; a longer one is cut and gets a digest. */}}
{{- define "fleet.short" -}}
{{- if le (len .) 63 -}}
{{- . -}}
{{- else -}}
{{- printf "%s-%s" (. | trunc 52 | trimSuffix "-") (sha256sum . | trunc 10) -}}
{{- end -}}
{{- end }}

{{/* Name of the Deployment of a group and of its other objects: dict root, group, track. */}}
{{- define "fleet.groupName" -}}
{{- $canary := ternary "-canary" "" (eq .track "canary") -}}
{{- $dedicated := ternary "" "-dedicated" (eq .group "shared") -}}
{{- include "fleet.short" (printf "%s%s%s-%s" .root.Release.Name $canary $dedicated .group) -}}
{{- end }}

{{/* Name of the Service of all shared skills. */}}
{{- define "fleet.sharedService" -}}
{{- default .Release.Name .Values.service.name -}}
{{- end }}

{{/* Name of the port on which pods serve one skill: a renamed skill keeps it, so that its Service reaches old and new pods. */}}
{{- define "fleet.portName" -}}
s-{{ sha256sum (default .name .skill.was) | trunc 12 }}
{{- end }}

{{- define "fleet.partOf" -}}
{{- default .Release.Name .Values.fleet -}}
{{- end }}

{{/* Labels of an object: dict root, component. */}}
{{- define "fleet.labels" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/part-of: {{ include "fleet.partOf" .root | quote }}
{{- with .component }}
app.kubernetes.io/component: {{ . | quote }}
{{- end }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels of a group's pods: dict root, unit. They do not depend on the models of other groups. */}}
{{- define "fleet.podLabels" -}}
{{ include "fleet.unitSelector" . }}
app.kubernetes.io/part-of: {{ .unit.fleet | quote }}
app.kubernetes.io/component: {{ .unit.group | quote }}
app.kubernetes.io/version: {{ .unit.version | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with include "fleet.modelLabels" .unit }}
{{ . }}
{{- end }}
{{- end }}

{{/* Labels with the skill and the model version of a dedicated group; none for the shared group. */}}
{{- define "fleet.modelLabels" -}}
{{- if ne .group "shared" -}}
coachworks.dev/skill: {{ .group | quote }}
coachworks.dev/model-version: {{ (index .skills .group).version | quote }}
{{- end }}
{{- end }}

{{/* Selector of the pods of the release, without those of `helm test`, which have another name. */}}
{{- define "fleet.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Selector of the pods of a group, of both tracks: dict root, group. */}}
{{- define "fleet.groupSelector" -}}
{{ include "fleet.selector" .root }}
coachworks.dev/group: {{ .group | quote }}
{{- end }}

{{/* Selector of the pods of a group's track: dict root, unit. */}}
{{- define "fleet.unitSelector" -}}
{{ include "fleet.groupSelector" (dict "root" .root "group" .unit.group) }}
coachworks.dev/track: {{ .unit.track }}
{{- end }}

{{/* Selector of a Service: dict root, group. */}}
{{- define "fleet.trafficSelector" -}}
{{ include "fleet.groupSelector" . }}
{{- if ne .root.Values.traffic "all" }}
coachworks.dev/track: {{ .root.Values.traffic }}
{{- end }}
{{- end }}

{{- define "fleet.image" -}}
{{- .image.repository }}{{ if .image.digest }}@{{ .image.digest }}{{ else }}:{{ default .root.Chart.AppVersion .image.tag }}{{ end -}}
{{- end }}

{{/* Tag or digest of an image, shortened to a valid label value. */}}
{{- define "fleet.imageVersion" -}}
{{- $digest := .image.digest | default "" | trimPrefix "sha256:" | trunc 12 -}}
{{- coalesce .image.tag $digest .root.Chart.AppVersion | trunc 63 | trimAll "-_." -}}
{{- end }}
