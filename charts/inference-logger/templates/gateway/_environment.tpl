{{/* Kafka as the gateway has it: its own values, and the sidecar's where they are empty. */}}
{{- define "inference-logger.gateway.kafka" -}}
{{- $own := .Values.gateway.kafka }}
{{- $shared := .Values.sidecar.kafka }}
{{- $secret := ternary $own.configSecret $shared.configSecret (ne $own.configSecret.name "") }}
{{- $ca := ternary $own.ca $shared.ca (or (ne $own.ca.secret "") (ne $own.ca.configMap "")) }}
{{- toYaml (dict
      "brokers" ($own.brokers | default $shared.brokers)
      "configSecret" $secret
      "ca" $ca
      "config" (merge (deepCopy $own.config) $shared.config)) }}
{{- end }}

{{/* What the gateway's files may come to: the journal with what is set aside as damaged, dead letters, and some room. */}}
{{- define "inference-logger.gateway.bytes" -}}
{{- $journal := include "inference-logger.bytes" (list .Values.gateway.journal.maxBytes "gateway.journal.maxBytes") | int64 }}
{{- $deadLetters := include "inference-logger.bytes" (list .Values.gateway.journal.deadLetterMaxBytes "gateway.journal.deadLetterMaxBytes") | int64 }}
{{- add (div (mul $journal 5) 4) $deadLetters 33554432 }}
{{- end }}

{{- define "inference-logger.gateway.size" -}}
{{ div (add (include "inference-logger.gateway.bytes" . | int64) 1048575) 1048576 }}Mi
{{- end }}

{{/*
The gateway's environment, a list: what follows from values, then gateway.env. No POD_NAMESPACE: events without a namespace are not from this one.
*/}}
{{- define "inference-logger.gateway.environment" -}}
{{- $gateway := .Values.gateway }}
{{- $kafka := include "inference-logger.gateway.kafka" . | fromYaml }}
- name: POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: NODE_NAME
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
- name: KAFKA_BROKERS
  value: {{ $kafka.brokers | quote }}
{{- if $kafka.configSecret.name }}
- name: KAFKA_CONFIG_FILE
  value: /etc/inference-logger/kafka/{{ $kafka.configSecret.key }}
{{- end }}
{{- if or $kafka.ca.secret $kafka.ca.configMap }}
- name: KAFKA_CONFIG_SSL_CA_LOCATION
  value: /etc/inference-logger/ca/{{ $kafka.ca.key }}
{{- end }}
{{- range $property, $value := $kafka.config }}
- name: KAFKA_CONFIG_{{ $property | upper | replace "." "_" }}
  value: {{ include "inference-logger.text" $value | quote }}
{{- end }}
- name: INFERENCE_LOGGER_LISTEN
  value: '[::]:{{ $gateway.port }}'
- name: INFERENCE_LOGGER_OPS_LISTEN
  value: '[::]:{{ $gateway.opsPort }}'
- name: INFERENCE_LOGGER_JOURNAL_MAX_BYTES
  value: {{ include "inference-logger.text" $gateway.journal.maxBytes | quote }}
- name: INFERENCE_LOGGER_DEAD_LETTER_MAX_BYTES
  value: {{ include "inference-logger.text" $gateway.journal.deadLetterMaxBytes | quote }}
- name: INFERENCE_LOGGER_GRACE_PERIOD
  value: {{ sub (int $gateway.terminationGracePeriodSeconds) 5 }}s
{{- range $name, $value := $gateway.env }}
- name: {{ $name }}
  value: {{ include "inference-logger.text" $value | quote }}
{{- end }}
{{- with $gateway.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
