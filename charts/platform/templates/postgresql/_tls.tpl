{{/* Settings of PostgreSQL with TLS: other connections than from its own pod are refused. */}}
{{- define "platform.postgresqlTls" -}}
hba_file: /etc/coachworks/pg_hba.conf
ssl: "on"
ssl_cert_file: /etc/coachworks/certificate/tls.crt
ssl_key_file: /etc/coachworks/certificate/tls.key
ssl_min_protocol_version: TLSv1.2
{{- end }}
