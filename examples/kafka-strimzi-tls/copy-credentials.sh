#!/bin/sh
# Copies the credentials of Strimzi's KafkaUser into a namespace of models, in the form that the sidecar reads.
# Usage: copy-credentials.sh <namespace of models> [<user>] [<cluster>] [<namespace of Kafka>]
set -eu
models=${1:?usage: copy-credentials.sh <namespace of models> [<user>] [<cluster>] [<namespace of Kafka>]}
user=${2:-inference-logger}
cluster=${3:-inference}
kafka=${4:-kafka}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
umask 077

# One key of a Secret.
value() {
  kubectl get secret "$1" --namespace "$kafka" --output "go-template={{index .data \"$2\" | base64decode}}"
}

# PEM on a line, as a properties file has it.
property() {
  printf '%s=' "$1"
  awk '{ printf "%s\\n", $0 }'
  printf '\n'
}

value "$cluster-cluster-ca-cert" ca.crt >"$folder/ca.crt"
value "$user" user.crt | property ssl.certificate.pem >"$folder/kafka.properties"
value "$user" user.key | property ssl.key.pem >>"$folder/kafka.properties"

for secret in "kafka-ca ca.crt" "kafka-credentials kafka.properties"; do
  set -- $secret
  kubectl create secret generic "$1" --namespace "$models" --from-file="$folder/$2" --dry-run=client --output yaml |
    kubectl apply --namespace "$models" --filename -
done
