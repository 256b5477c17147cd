{{/* Values that are right alone and wrong together end the rendering with a sentence that says what to change. */}}
{{- define "inference-logger.validate" -}}
{{- if not (or .Values.webhook.enabled .Values.gateway.enabled) }}
{{- fail "webhook.enabled and gateway.enabled are both false, so that nothing would be installed: set one of them to true" }}
{{- end }}
{{- if .Values.webhook.enabled }}{{ include "inference-logger.validate.webhook" . }}{{ end }}
{{- if .Values.gateway.enabled }}{{ include "inference-logger.validate.gateway" . }}{{ end }}
{{- if .Values.openshift.enabled }}{{ include "inference-logger.validate.openshift" . }}{{ end }}
{{- if .Values.admissionPolicy.enabled }}{{ include "inference-logger.validate.admissionPolicy" . }}{{ end }}
{{- end }}

{{- define "inference-logger.validate.webhook" -}}
{{- $webhook := .Values.webhook }}
{{- $sidecar := .Values.sidecar }}
{{- if not $sidecar.kafka.brokers }}
{{- fail "sidecar.kafka.brokers is empty: set it to Kafka's bootstrap servers, such as --set sidecar.kafka.brokers=kafka.kafka:9092" }}
{{- end }}
{{- if and $sidecar.kafka.ca.secret $sidecar.kafka.ca.configMap }}
{{- fail "sidecar.kafka.ca has both secret and configMap: leave one of them empty" }}
{{- end }}
{{- if eq (int $sidecar.port) (int $sidecar.metricsPort) }}
{{- fail (printf "sidecar.port and sidecar.metricsPort are both %d: set one of them to another port" (int $sidecar.port)) }}
{{- end }}
{{- range $sidecar.annotations.allow }}
{{- if has . $sidecar.annotations.forbid }}
{{- fail (printf "sidecar.annotations has %s in allow and in forbid: leave it out of one of them" .) }}
{{- end }}
{{- end }}
{{- if eq (int $webhook.port) (int $webhook.opsPort) }}
{{- fail (printf "webhook.port and webhook.opsPort are both %d: set one of them to another port" (int $webhook.port)) }}
{{- end }}
{{- if and (eq $webhook.failurePolicy "Fail") (lt (int $webhook.replicas) 2) }}
{{- fail "webhook.failurePolicy is Fail with one replica, so that no model's pod could be made while it restarts: set webhook.replicas to 2 or more, or webhook.failurePolicy to Ignore" }}
{{- end }}
{{- if and (eq $webhook.reinvocationPolicy "Never") (lt $webhook.configurationName "inferenceservice.serving.kserve.io") }}
{{- fail (printf "webhook.configurationName %q sorts before KServe's inferenceservice.serving.kserve.io, so that the webhook would be called before KServe has added its agent, and with webhook.reinvocationPolicy Never not again: choose a name that sorts after it, or reinvocationPolicy IfNeeded" $webhook.configurationName) }}
{{- end }}
{{- if and $webhook.matchConditions (semverCompare "<1.28.0-0" .Capabilities.KubeVersion.Version) }}
{{- fail (printf "webhook.matchConditions need Kubernetes 1.28, and this is %s: leave them out" .Capabilities.KubeVersion.Version) }}
{{- end }}
{{- if $webhook.hostNetwork }}
{{- if has (int $webhook.port) (list 10250 10255 10256) }}
{{- fail (printf "webhook.hostNetwork is true and webhook.port is %d, which is the kubelet's or kube-proxy's on every node: set webhook.port to another port" (int $webhook.port)) }}
{{- end }}
{{- if and (gt (int $webhook.replicas) 1) (not $webhook.affinity) (ne $webhook.podAntiAffinity "required") }}
{{- fail "webhook.hostNetwork is true, so that two replicas cannot run on one node: set webhook.podAntiAffinity to required" }}
{{- end }}
{{- if .Values.networkPolicy.enabled }}
{{- fail "webhook.hostNetwork and networkPolicy.enabled are both true, and a NetworkPolicy has no effect on pods in the node's network: set one of them to false" }}
{{- end }}
{{- end }}
{{- $drain := include "inference-logger.milliseconds" (list $webhook.drain "webhook.drain") | int64 }}
{{- if gt (add $drain 6000) (mul (int64 $webhook.terminationGracePeriodSeconds) 1000) }}
{{- fail (printf "webhook.drain is %s, and requests that are under way may take 6 s more, but webhook.terminationGracePeriodSeconds is %d: raise that, or lower webhook.drain" $webhook.drain (int $webhook.terminationGracePeriodSeconds)) }}
{{- end }}
{{- if and $webhook.events.enabled (not $webhook.serviceAccount.create) (not $webhook.serviceAccount.name) }}
{{- fail "webhook.events.enabled is true and webhook.serviceAccount.create is false, so that the ServiceAccount default would get the right to make Events: set webhook.serviceAccount.name, or create to true" }}
{{- end }}
{{- include "inference-logger.validate.certificates" . }}
{{- if and .Values.tests.enabled (has .Values.tests.namespace (append $sidecar.ignoredNamespaces .Release.Namespace)) }}
{{- fail (printf "tests.namespace is %s, where nothing is injected: set it to a namespace with the label inference-logger.io/injection: enabled, or leave it empty" .Values.tests.namespace) }}
{{- end }}
{{- end }}

{{- define "inference-logger.validate.certificates" -}}
{{- $certificates := .Values.webhook.certificates }}
{{- if eq $certificates.mode "existingSecret" }}
{{- if not $certificates.existingSecret.name }}
{{- fail "webhook.certificates.mode is existingSecret and webhook.certificates.existingSecret.name is empty: set it to the Secret with tls.crt and tls.key" }}
{{- end }}
{{- $injected := false }}
{{- range $name, $_ := .Values.webhook.configurationAnnotations }}
{{- if hasPrefix "cert-manager.io/inject-" $name }}{{ $injected = true }}{{ end }}
{{- end }}
{{- if not (or $certificates.existingSecret.caBundle $injected) }}
{{- fail "webhook.certificates.mode is existingSecret and webhook.certificates.existingSecret.caBundle is empty, so that the API server would trust nobody: set it to the certificates of who signed, PEM (--set-file), or have cert-manager put it in (webhook.configurationAnnotations: cert-manager.io/inject-ca-from-secret)" }}
{{- end }}
{{- if $certificates.dnsNames }}
{{- fail "webhook.certificates.dnsNames is set with mode existingSecret, whose certificate is made elsewhere: leave dnsNames out" }}
{{- end }}
{{- else if or $certificates.existingSecret.name $certificates.existingSecret.caBundle }}
{{- fail (printf "webhook.certificates.existingSecret is set and webhook.certificates.mode is %s, which would not use it: set mode to existingSecret, or leave existingSecret out" $certificates.mode) }}
{{- end }}
{{- if and $certificates.certManager.issuerRef (ne $certificates.mode "certManager") }}
{{- fail (printf "webhook.certificates.certManager.issuerRef is set and webhook.certificates.mode is %s, which would not use it: set mode to certManager, or leave issuerRef out" $certificates.mode) }}
{{- end }}
{{- if and $certificates.certManager.issuerRef (not $certificates.certManager.issuerRef.name) }}
{{- fail "webhook.certificates.certManager.issuerRef has no name: set it to the issuer's" }}
{{- end }}
{{- end }}

{{- define "inference-logger.validate.gateway" -}}
{{- $gateway := .Values.gateway }}
{{- $kafka := include "inference-logger.gateway.kafka" . | fromYaml }}
{{- if not $kafka.brokers }}
{{- fail "gateway.kafka.brokers and sidecar.kafka.brokers are both empty: set one of them to Kafka's bootstrap servers" }}
{{- end }}
{{- if and $kafka.ca.secret $kafka.ca.configMap }}
{{- fail "gateway.kafka.ca has both secret and configMap: leave one of them empty" }}
{{- end }}
{{- if eq (int $gateway.port) (int $gateway.opsPort) }}
{{- fail (printf "gateway.port and gateway.opsPort are both %d: set one of them to another port" (int $gateway.port)) }}
{{- end }}
{{- $instead := dict
      "KAFKA_BROKERS" "gateway.kafka.brokers"
      "KAFKA_CONFIG_FILE" "gateway.kafka.configSecret"
      "INFERENCE_LOGGER_LISTEN" "gateway.port"
      "INFERENCE_LOGGER_OPS_LISTEN" "gateway.opsPort"
      "INFERENCE_LOGGER_JOURNAL_MAX_BYTES" "gateway.journal.maxBytes"
      "INFERENCE_LOGGER_DEAD_LETTER_MAX_BYTES" "gateway.journal.deadLetterMaxBytes"
      "INFERENCE_LOGGER_GRACE_PERIOD" "gateway.terminationGracePeriodSeconds" }}
{{- range $name, $_ := $gateway.env }}
{{- if hasKey $instead $name }}
{{- fail (printf "gateway.env.%s follows from %s: set that instead" $name (get $instead $name)) }}
{{- end }}
{{- if eq $name "INFERENCE_LOGGER_JOURNAL_DIR" }}
{{- fail "gateway.env.INFERENCE_LOGGER_JOURNAL_DIR is where the journal's volume is mounted: leave it out" }}
{{- end }}
{{- if and (hasPrefix "KAFKA_CONFIG_" $name) (regexMatch "PASSWORD|SECRET|KEY_PEM" $name) }}
{{- fail (printf "gateway.env.%s is a secret, and anybody who can read a pod would read it: put it into the Secret that gateway.kafka.configSecret names" $name) }}
{{- end }}
{{- end }}
{{- range $name, $_ := $kafka.config }}
{{- if regexMatch "password|secret|key\\.pem" $name }}
{{- fail (printf "gateway.kafka.config.%s is a secret, and anybody who can read a pod would read it: put it into the Secret that gateway.kafka.configSecret names" $name) }}
{{- end }}
{{- end }}
{{- $needed := include "inference-logger.gateway.bytes" . | int64 }}
{{- $size := include "inference-logger.gateway.size" . }}
{{- if eq $gateway.kind "StatefulSet" }}
{{- if $gateway.journal.sizeLimit }}
{{- fail "gateway.journal.sizeLimit is an emptyDir's, and with gateway.kind StatefulSet there is a volume: set gateway.journal.size instead" }}
{{- end }}
{{- if and $gateway.journal.size (lt (include "inference-logger.bytes" (list $gateway.journal.size "gateway.journal.size") | int64) $needed) }}
{{- fail (printf "gateway.journal.size is %s, and the journal with gateway.journal.maxBytes and deadLetterMaxBytes needs %s: raise size, or lower one of these" $gateway.journal.size $size) }}
{{- end }}
{{- else }}
{{- if or $gateway.journal.size $gateway.journal.storageClassName }}
{{- fail "gateway.journal.size and storageClassName are a volume's, and with gateway.kind Deployment there is none: set gateway.kind to StatefulSet, or leave them out" }}
{{- end }}
{{- if and $gateway.journal.sizeLimit (lt (include "inference-logger.bytes" (list $gateway.journal.sizeLimit "gateway.journal.sizeLimit") | int64) $needed) }}
{{- fail (printf "gateway.journal.sizeLimit is %s, and the journal with gateway.journal.maxBytes and deadLetterMaxBytes needs %s, so that the kubelet would evict the pod: raise sizeLimit, or lower one of these" $gateway.journal.sizeLimit $size) }}
{{- end }}
{{- end }}
{{- if $gateway.autoscaling.enabled }}
{{- if gt (int $gateway.autoscaling.minReplicas) (int $gateway.autoscaling.maxReplicas) }}
{{- fail (printf "gateway.autoscaling.minReplicas is %d and maxReplicas is %d: lower the one, or raise the other" (int $gateway.autoscaling.minReplicas) (int $gateway.autoscaling.maxReplicas)) }}
{{- end }}
{{- if not (dig "requests" "cpu" "" $gateway.resources) }}
{{- fail "gateway.autoscaling.enabled is true and gateway.resources.requests.cpu is not set, of which the target is a percentage: set it" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "inference-logger.validate.openshift" -}}
{{- $sidecar := .Values.sidecar }}
{{- if or $sidecar.securityContext.runAsUser $sidecar.securityContext.runAsGroup }}
{{- fail "openshift.enabled is true and sidecar.securityContext is set, but OpenShift chooses users and groups itself: leave runAsUser and runAsGroup out" }}
{{- end }}
{{- if $sidecar.journal.fsGroup }}
{{- fail "openshift.enabled is true and sidecar.journal.fsGroup is set, but OpenShift chooses it itself: leave it out" }}
{{- end }}
{{- end }}

{{- define "inference-logger.validate.admissionPolicy" -}}
{{- if not .Values.webhook.enabled }}
{{- fail "admissionPolicy.enabled is true and webhook.enabled is false: nothing would add the sidecar that the policy asks for; set one of them otherwise" }}
{{- end }}
{{- if semverCompare "<1.30.0-0" .Capabilities.KubeVersion.Version }}
{{- fail (printf "admissionPolicy.enabled needs Kubernetes 1.30, and this is %s: set it to false" .Capabilities.KubeVersion.Version) }}
{{- end }}
{{- if and (has "Deny" .Values.admissionPolicy.actions) (has "Warn" .Values.admissionPolicy.actions) }}
{{- fail "admissionPolicy.actions has Deny and Warn, and Kubernetes takes only one of them: leave one out" }}
{{- end }}
{{- end }}
