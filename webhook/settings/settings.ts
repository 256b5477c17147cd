import type { AnnotationName } from '../annotations/table.ts'

/** A Kubernetes or KServe version, as far as decisions need it. */
export interface Version {
  readonly major: number
  readonly minor: number
}

/** A key of a Secret or ConfigMap in the pod's namespace. */
export interface MountedKey {
  readonly kind: 'secret' | 'configMap'
  readonly name: string
  readonly key: string
}

/**
 * What the administrator decides: the settings file, validated, with defaults filled in, frozen. The same object for the
 * webhook and for `inject`.
 */
export interface Settings {
  /** Image of the sidecar: this project's. */
  readonly image: string
  /** Names of Secrets in the pod's namespace, added to the pod's own. */
  readonly imagePullSecrets: readonly string[]
  /** Of the cluster, for `native-sidecar: auto`; undefined: new enough. */
  readonly kubernetesVersion: Version | undefined
  readonly kserveVersion: Version | undefined
  /** Where the sidecar listens in a pod whose logger URL does not say so. */
  readonly port: number
  /** `/metrics` and the probes: the port named `il-metrics`. */
  readonly metricsPort: number
  readonly kafka: {
    readonly brokers: string
    /** Mounted as KAFKA_CONFIG_FILE; always a Secret. */
    readonly configSecret: MountedKey | undefined
    /** Mounted, and set as `ssl.ca.location`. */
    readonly ca: MountedKey | undefined
    /** librdkafka properties without secrets, by their own names. */
    readonly config: Readonly<Record<string, string>>
  }
  /** Values for pods that do not say otherwise, by the name of their annotation, as an annotation would have them. */
  readonly defaults: Readonly<Partial<Record<AnnotationName, string>>>
  readonly annotations: {
    /** Annotations that teams may use although the table says that they may not. */
    readonly allow: readonly AnnotationName[]
    /** Annotations that teams may not use although the table says that they may. */
    readonly forbid: readonly AnnotationName[]
    /** What becomes of a pod with a wrong annotation: `deny`, or `skip`: it runs without the sidecar. */
    readonly onMistake: 'deny' | 'skip'
  }
  readonly journal: {
    /** sizeLimit of the emptyDir, a Kubernetes quantity; undefined: from the bounds of what is in it. */
    readonly sizeLimit: string | undefined
    /** Specs of PersistentVolumeClaims (ephemeral volumes) by the name that `journal-volume` takes. */
    readonly claimTemplates: Readonly<Record<string, Readonly<Record<string, unknown>>>>
    /** fsGroup for a pod that has none and gets a claim: a new volume belongs to root. undefined: leave it. */
    readonly fsGroup: number | undefined
  }
  readonly gracePeriod: {
    /** false: leave terminationGracePeriodSeconds alone. */
    readonly raise: boolean
    /** How long KServe's agent goes on after SIGTERM, s. */
    readonly agentDrainSeconds: number
    /** What the sidecar gets after that, s. */
    readonly flushSeconds: number
  }
  readonly securityContext: {
    /** undefined: the image's, or what the pod or OpenShift says. */
    readonly runAsUser: number | undefined
    readonly runAsGroup: number | undefined
  }
  /** Further environment variables of the sidecar: any in docs/configuration.md, or NODE_EXTRA_CA_CERTS and the like. */
  readonly env: Readonly<Record<string, string>>
  /** Namespaces in which nothing is injected, beside Kubernetes' own. */
  readonly ignoredNamespaces: readonly string[]
}
