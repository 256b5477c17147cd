import * as v from 'valibot'
import { parseBrokers } from '../../sidecar/config/addresses.ts'
import { integer, oneOf, parseBoolean, ValueError } from '../../sidecar/config/units.ts'
import type { AnnotationName } from '../annotations/table.ts'
import { checkTemplate } from './claims.ts'
import { described, leaf, list, mapping, section, text } from './leaf.ts'
import {
  ANNOTATION_NAMES,
  ANNOTATIONS,
  parseAnnotationName,
  parseDiskSize,
  parseKey,
  parseName,
  parseNamespace,
  parseSeconds,
  parseVariableName,
  parseVersion
} from './values.ts'

/** Kubernetes' largest user and group. */
const MAX_ID = 2_147_483_647

const port = integer(1024, 65_535)
const names = list(text(parseName))
const annotationNames = list(leaf(parseAnnotationName))

/** Annotations that are settings themselves, and what these are called. */
const SETTINGS_THEMSELVES: Partial<Record<AnnotationName, string>> = {
  brokers: 'kafka.brokers',
  'kafka-config-secret': 'kafka.configSecret',
  image: 'image'
}

/** One entry for each annotation that can have a default, with the annotation's own parser. */
const defaults = Object.fromEntries(
  ANNOTATION_NAMES.map(name => [name, v.exactOptional(text(defaultOf(name)))])
) as unknown as Record<AnnotationName, v.ExactOptionalSchema<v.GenericSchema<string, string>, undefined>>

function defaultOf(name: AnnotationName): (text: string) => unknown {
  const { parse, hasDefault } = ANNOTATIONS[name]
  const setting = SETTINGS_THEMSELVES[name]
  if (setting !== undefined) return refuse(`left out: set ${setting} instead`)
  return hasDefault === false ? refuse('left out: it is about a single pod') : parse
}

function refuse(message: string): () => never {
  return () => {
    throw new ValueError(message)
  }
}

/** A Secret or a ConfigMap, and a key in it. */
const caFrom = v.pipe(
  section({
    secret: v.nullish(text(parseName)),
    configMap: v.nullish(text(parseName)),
    key: v.nullish(text(parseKey), 'ca.crt')
  }),
  v.check(
    ({ secret, configMap }) => (secret ?? null) === null || (configMap ?? null) === null,
    'has to have either secret or configMap, not both'
  ),
  v.check(({ secret, configMap }) => Boolean(secret ?? configMap), 'has to have secret or configMap: its name')
)

/**
 * The settings file: what is allowed, what is said when it is not, and docs/webhook-settings.md. Plain values arrive as
 * they are written (see parseYaml); a section without a value is one that is not there.
 */
export const schema = section({
  image: described(
    text(ANNOTATIONS.image.parse),
    'Image of the sidecar: this project’s, with a tag or a digest. Annotation `image`, where it is allowed, takes another.'
  ),
  imagePullSecrets: described(
    v.nullish(names, []),
    'Names of Secrets for pulling it, in the pod’s namespace; added to the pod’s own.'
  ),
  kubernetesVersion: described(
    v.nullish(leaf(parseVersion)),
    'Of the cluster, for the annotation `native-sidecar: auto`: `1.34` or `v1.34.2`. Not set: new enough for native sidecars.'
  ),
  kserveVersion: described(
    v.nullish(leaf(parseVersion)),
    'The same for KServe. Not set: new enough. KServe before 0.12 removes what makes a sidecar native.'
  ),
  port: described(
    v.nullish(leaf(port), '9480'),
    'Where the sidecar listens in a pod whose logger URL does not say it (annotation `inject: "true"`).'
  ),
  metricsPort: described(
    v.nullish(leaf(port), '9481'),
    '`/metrics` and the probes: the container port `il-metrics`. Another one than `port`.'
  ),
  kafka: v.nullish(
    section({
      brokers: described(leaf(parseBrokers), 'Kafka bootstrap servers, `host:port` separated by commas.'),
      configSecret: described(
        v.nullish(section({ name: text(parseName), key: v.nullish(text(parseKey), 'kafka.properties') })),
        '`name` and `key` (`kafka.properties`) of a Secret in the pod’s namespace: a properties file for librdkafka, mounted and read as `KAFKA_CONFIG_FILE`. The place for passwords.'
      ),
      ca: described(
        v.nullish(caFrom),
        '`secret` or `configMap` (its name) and `key` (`ca.crt`), in the pod’s namespace: certificates with which Kafka’s are verified, mounted and set as `ssl.ca.location`.'
      ),
      config: described(
        v.nullish(mapping(String, text(String)), {}),
        'librdkafka properties by their own names, such as `security.protocol`. They win over the Secret’s. No passwords: anybody who can read a pod reads them.'
      )
    }),
    // Not complete: that is how the brokers are found to be missing.
    {} as never
  ),
  defaults: described(
    v.nullish(section(defaults), {}),
    'Values for pods that do not say otherwise, by the name of their [annotation](annotations.md), without `inference-logger.io/`.'
  ),
  annotations: v.nullish(
    section({
      allow: described(
        v.nullish(annotationNames, []),
        'Names of annotations that teams may use although the [table](annotations.md) says that they may not: `brokers`, `kafka-config-secret`, `image`.'
      ),
      forbid: described(
        v.nullish(annotationNames, []),
        'Names of annotations that teams may not use although the table says that they may.'
      ),
      onMistake: described(
        v.nullish(leaf(oneOf('deny', 'skip')), 'deny'),
        'What becomes of a pod with a wrong annotation: `deny` refuses it, and says why; `skip` lets it run without the sidecar.'
      )
    }),
    {}
  ),
  journal: v.nullish(
    section({
      sizeLimit: described(
        v.nullish(text(parseDiskSize)),
        '`sizeLimit` of the journal’s emptyDir. The kubelet evicts a pod that exceeds it. Not set: what is bounded in it, and some room.'
      ),
      claimTemplates: described(
        v.nullish(mapping(parseName, v.pipe(v.unknown(), checkTemplate)), {}),
        'By the name that the annotation `journal-volume` takes: templates of PersistentVolumeClaims, with `spec` and perhaps `metadata`, as in a pod’s `ephemeral.volumeClaimTemplate`. Each such pod gets a volume of its own.'
      ),
      fsGroup: described(
        v.nullish(leaf(integer(0, MAX_ID))),
        '`fsGroup` for pods that have none and get such a volume, which belongs to root when it is new.'
      )
    }),
    {}
  ),
  gracePeriod: v.nullish(
    section({
      raise: described(
        v.nullish(leaf(parseBoolean), 'true'),
        'Raise `terminationGracePeriodSeconds` of pods to `agentDrain` and `flush` where it is shorter. `false` leaves it.'
      ),
      agentDrain: described(
        v.nullish(leaf(parseSeconds), '30s'),
        'How long KServe’s agent goes on sending after SIGTERM. KServe’s own is 30 s.'
      ),
      flush: described(
        v.nullish(leaf(parseSeconds), '15s'),
        'What the sidecar gets after that, to deliver what is left.'
      )
    }),
    {}
  ),
  securityContext: v.nullish(
    section({
      runAsUser: described(
        v.nullish(leaf(integer(1, MAX_ID))),
        'User id of the sidecar, not root. Not set: the image’s, or what the pod or OpenShift says.'
      ),
      runAsGroup: described(v.nullish(leaf(integer(0, MAX_ID))), 'Group id of the sidecar.')
    }),
    {}
  ),
  env: described(
    v.nullish(mapping(parseVariableName, text(String)), {}),
    'Further environment variables of the sidecar: those of [configuration](configuration.md) that have no annotation, or `NODE_EXTRA_CA_CERTS` and the like.'
  ),
  ignoredNamespaces: described(
    v.nullish(list(text(parseNamespace)), []),
    'Namespaces in which nothing is injected, whatever their label says, beside `kube-system`, `kube-public` and `kube-node-lease`. The ValidatingAdmissionPolicy does not know them: exclude them there as well.'
  )
})

export type ParsedSettings = v.InferOutput<typeof schema>
