{{/* Takes (list $ name namespace selector component own), where own is true in a PodMonitor for its own namespace. */}}
{{- define "inference-logger.podMonitor" -}}
{{- $ := index . 0 }}
{{- $values := $.Values.monitoring.podMonitor }}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ index . 1 }}
  namespace: {{ index . 2 }}
  labels: {{- include "inference-logger.labels" (list $ (index . 4)) | nindent 4 }}
    {{- with $values.labels }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with $values.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  selector: {{- index . 3 | nindent 4 }}
  {{- if not (index . 5) }}
  namespaceSelector:
    {{- if eq (index . 4) "gateway" }}
    matchNames: [{{ $.Release.Namespace }}]
    {{- else }}
    any: true
    {{- end }}
  {{- end }}
  {{- if eq (index . 4) "sidecar" }}
  {{- with $values.podTargetLabels }}
  podTargetLabels: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  podMetricsEndpoints:
    - port: il-metrics
      path: /metrics
      {{- with $values.interval }}
      interval: {{ . }}
      {{- end }}
      {{- with $values.scrapeTimeout }}
      scrapeTimeout: {{ . }}
      {{- end }}
      {{- with $values.relabelings }}
      relabelings: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.metricRelabelings }}
      metricRelabelings: {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
