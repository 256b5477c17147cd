{{/* Namespaces whose pods are looked at: labelled, and never those that the webhook itself or Kubernetes depends on. */}}
{{- define "inference-logger.namespaceSelector" -}}
{{- $never := concat (list "kube-system" "kube-public" "kube-node-lease" .Release.Namespace) .Values.sidecar.ignoredNamespaces | uniq }}
{{- with .Values.webhook.namespaceSelector.matchLabels -}}
matchLabels: {{- toYaml . | nindent 2 }}
{{ end -}}
matchExpressions:
  - key: inference-logger.io/injection
    operator: In
    values: [enabled]
  - key: kubernetes.io/metadata.name
    operator: NotIn
    values: {{- toYaml $never | nindent 6 }}
{{- with .Values.webhook.namespaceSelector.matchExpressions }}
{{ toYaml . | indent 2 }}
{{- end }}
{{- end }}
