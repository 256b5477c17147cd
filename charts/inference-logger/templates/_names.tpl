{{- define "inference-logger.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* The release's name, with the chart's where it is not in it. What is appended to it stays below 63 characters. */}}
{{- define "inference-logger.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- $name := include "inference-logger.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "inference-logger.webhook.name" -}}
{{ include "inference-logger.fullname" . }}-webhook
{{- end }}

{{- define "inference-logger.gateway.name" -}}
{{ include "inference-logger.fullname" . }}-gateway
{{- end }}

{{- define "inference-logger.gateway.serviceName" -}}
{{ .Values.gateway.service.name | default (include "inference-logger.fullname" .) }}
{{- end }}

{{- define "inference-logger.serviceAccountName" -}}
{{- with .Values.webhook.serviceAccount }}
{{- if .create }}{{ .name | default (include "inference-logger.webhook.name" $) }}{{ else }}{{ .name | default "default" }}{{ end }}
{{- end }}
{{- end }}

{{/* Labels of an object. Takes (list $ component). */}}
{{- define "inference-logger.labels" -}}
{{- $ := index . 0 -}}
{{ include "inference-logger.selectorLabels" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: inference-logger
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with $.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Labels of a pod: the chart's version would replace pods for nothing. Takes (list $ component). */}}
{{- define "inference-logger.podLabels" -}}
{{- $ := index . 0 -}}
{{ include "inference-logger.selectorLabels" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: inference-logger
{{- with $.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What does not change between versions. Takes (list $ component). */}}
{{- define "inference-logger.selectorLabels" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ include "inference-logger.name" $ }}
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "inference-logger.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}
