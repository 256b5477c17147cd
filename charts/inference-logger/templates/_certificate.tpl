{{- define "inference-logger.certificate.secretName" -}}
{{- if eq .Values.webhook.certificates.mode "existingSecret" -}}
{{ .Values.webhook.certificates.existingSecret.name }}
{{- else if eq .Values.webhook.certificates.mode "certManager" -}}
{{ include "inference-logger.webhook.name" . }}-cert-manager
{{- else -}}
{{ include "inference-logger.webhook.name" . }}-certificate
{{- end }}
{{- end }}

{{/* Names that the API server may call the webhook by, as a list. */}}
{{- define "inference-logger.certificate.dnsNames" -}}
{{- $service := printf "%s.%s" (include "inference-logger.webhook.name" .) .Release.Namespace }}
{{- toYaml (concat (list (printf "%s.svc" $service) (printf "%s.svc.cluster.local" $service) $service) .Values.webhook.certificates.dnsNames | uniq) }}
{{- end }}

{{/*
Mode helm: what the Secret has, as YAML of its `data`, and under `until` (seconds since 1970) and `names` what decides at the next upgrade whether
it stays. Made once for a rendering: every template asks for it, and each time would be another.
*/}}
{{- define "inference-logger.certificate" -}}
{{- if not (hasKey .Values "renderedCertificate") }}
{{- $_ := set .Values "renderedCertificate" (include "inference-logger.certificate.kept" . | default (include "inference-logger.certificate.new" .)) }}
{{- end }}
{{- .Values.renderedCertificate }}
{{- end }}

{{- define "inference-logger.certificate.old" -}}
{{- $secret := lookup "v1" "Secret" .Release.Namespace (include "inference-logger.certificate.secretName" .) | default dict }}
{{- $data := $secret.data | default dict }}
{{- if and (index $data "ca.crt") (index $data "tls.crt") (index $data "tls.key") }}
{{- $annotations := $secret.metadata.annotations | default dict }}
{{- toYaml (dict "data" $data "until" (get $annotations "inference-logger.io/valid-until") "names" (get $annotations "inference-logger.io/names")) }}
{{- end }}
{{- end }}

{{/* Empty when there is none, when it ends within 90 days, or when it is for other names. */}}
{{- define "inference-logger.certificate.kept" -}}
{{- $names := include "inference-logger.certificate.dnsNames" . | fromYamlArray | join "," }}
{{- $old := include "inference-logger.certificate.old" . | fromYaml }}
{{- $soon := now | date_modify "2160h" | unixEpoch | int64 }}
{{- if and $old.data (eq ($old.names | toString) $names) (gt ($old.until | toString | int64) $soon) }}
{{- toYaml $old }}
{{- end }}
{{- end }}

{{- define "inference-logger.certificate.new" -}}
{{- $names := include "inference-logger.certificate.dnsNames" . | fromYamlArray }}
{{- $days := .Values.webhook.certificates.helm.days | int }}
{{- $ca := genCAWithKey (printf "%s CA" (include "inference-logger.webhook.name" .)) $days (genPrivateKey "ecdsa") }}
{{- $leaf := genSignedCertWithKey (first $names) nil $names $days $ca (genPrivateKey "ecdsa") }}
{{- $authorities := $ca.Cert }}
{{- $old := include "inference-logger.certificate.old" . | fromYaml }}
{{- with $old.data }}
{{- /* Pods that run have the old certificate until the kubelet brings the new one. The first is enough: what came before is older. */}}
{{- $authorities = printf "%s%s" $authorities (regexFind "(?s)^.*?-----END CERTIFICATE-----\n" (index . "ca.crt" | b64dec)) }}
{{- end }}
{{- $data := dict "ca.crt" ($authorities | b64enc) "tls.crt" ($leaf.Cert | b64enc) "tls.key" ($leaf.Key | b64enc) }}
{{- $until := now | date_modify (printf "%dh" (mul $days 24)) | unixEpoch }}
{{- toYaml (dict "data" $data "until" $until "names" (join "," $names)) }}
{{- end }}

{{/* What the API server trusts, base64; empty where somebody else puts it in. */}}
{{- define "inference-logger.certificate.caBundle" -}}
{{- with .Values.webhook.certificates }}
{{- if eq .mode "helm" }}
{{- index (include "inference-logger.certificate" $ | fromYaml).data "ca.crt" }}
{{- else if eq .mode "existingSecret" }}
{{- .existingSecret.caBundle | b64enc }}
{{- end }}
{{- end }}
{{- end }}
