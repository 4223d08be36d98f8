{{- define "platform.dnsEgress" -}}
- ports: # DNS to any address: in some clusters it is not a pod
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end }}

{{- define "platform.postgresqlEgress" -}}
{{- if .Values.postgresql.enabled }}
- to:
    - podSelector:
        matchLabels:
          {{- include "platform.selectorLabels" . | nindent 10 }}
          app.kubernetes.io/component: postgresql
  ports:
    - {port: 5432, protocol: TCP}
{{- else }}
- to:
    {{- range .Values.networkPolicy.postgresql.addressBlocks }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    - {port: {{ .Values.externalPostgresql.port }}, protocol: TCP}
{{- end }}
{{- end }}

{{- define "platform.s3Egress" -}}
{{- if .Values.s3Server.enabled }}
- to:
    - podSelector:
        matchLabels:
          {{- include "platform.selectorLabels" . | nindent 10 }}
          app.kubernetes.io/component: s3
  ports:
    - {port: 7070, protocol: TCP}
{{- else }}
- to:
    {{- range .Values.networkPolicy.s3.addressBlocks }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    {{- range splitList "," (include "platform.s3Ports" .) }}
    - {port: {{ . }}, protocol: TCP}
    {{- end }}
{{- end }}
{{- end }}

{{/* Ports of an external S3 server, separated by commas. */}}
{{- define "platform.s3Ports" -}}
{{- if .Values.networkPolicy.s3.ports -}}
{{- join "," .Values.networkPolicy.s3.ports -}}
{{- else -}}
{{- $url := urlParse .Values.s3.endpoint -}}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) -}}
{{- default (ternary "80" "443" (eq $url.scheme "http")) $port -}}
{{- end -}}
{{- end }}

{{/* Clients of the platform's servers. */}}
{{- define "platform.clients" -}}
{{- $namespaces := .Values.networkPolicy.namespaces -}}
{{- with .Values.pipelines.namespace }}{{ $namespaces = prepend $namespaces . }}{{ end -}}
{{- range uniq $namespaces }}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ . }}
{{- end }}
{{- range .Values.networkPolicy.addressBlocks }}
- ipBlock: {cidr: {{ . | quote }}}
{{- end }}
{{- end }}
