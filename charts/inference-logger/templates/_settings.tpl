{{/* A map without its empty values. false and 0 are values. */}}
{{- define "inference-logger.filled" -}}
{{- $filled := dict }}
{{- range $key, $value := . }}
{{- if or (kindIs "bool" $value) $value }}{{ $_ := set $filled $key $value }}{{ end }}
{{- end }}
{{- toYaml $filled }}
{{- end }}

{{/* Kafka's certificates as the settings have them, or {}. Takes a `ca`. */}}
{{- define "inference-logger.ca" -}}
{{- if or .secret .configMap }}{{ include "inference-logger.filled" . }}{{ else }}{}{{ end }}
{{- end }}

{{/* The webhook's settings file (docs/webhook-settings.md), without what is left to its defaults. */}}
{{- define "inference-logger.settings" -}}
{{- $sidecar := .Values.sidecar }}
{{- $kafka := dict "brokers" $sidecar.kafka.brokers }}
{{- if $sidecar.kafka.configSecret.name }}{{ $_ := set $kafka "configSecret" $sidecar.kafka.configSecret }}{{ end }}
{{- $_ := set $kafka "ca" (include "inference-logger.ca" $sidecar.kafka.ca | fromYaml) }}
{{- $_ := set $kafka "config" $sidecar.kafka.config }}
{{- $settings := dict
      "image" ($sidecar.image | default (include "inference-logger.image" .))
      "imagePullSecrets" $sidecar.imagePullSecrets
      "kubernetesVersion" ($sidecar.kubernetesVersion | default .Capabilities.KubeVersion.Version)
      "kserveVersion" $sidecar.kserveVersion
      "port" $sidecar.port
      "metricsPort" $sidecar.metricsPort
      "kafka" (include "inference-logger.filled" $kafka | fromYaml)
      "defaults" $sidecar.defaults
      "annotations" (include "inference-logger.filled" $sidecar.annotations | fromYaml)
      "journal" (include "inference-logger.filled" $sidecar.journal | fromYaml)
      "gracePeriod" $sidecar.gracePeriod
      "securityContext" (include "inference-logger.filled" $sidecar.securityContext | fromYaml)
      "env" $sidecar.env
      "ignoredNamespaces" (append $sidecar.ignoredNamespaces .Release.Namespace | uniq)
}}
{{- include "inference-logger.filled" $settings }}
{{- end }}
