import { annotationsOf, list, record, texts, type RawPod } from '../pod.ts'
import type { Reason } from '../review.ts'

/** Containers of KServe that send events: `agent` since 0.5, `inferenceservice-logger` in KFServing before. */
const AGENTS: ReadonlySet<unknown> = new Set(['agent', 'inferenceservice-logger'])

/** Prefixes of the annotations that KServe, and KFServing before it, writes about a component's logger. */
const LOGGER_PREFIXES = ['internal.serving.kserve.io/', 'internal.serving.kubeflow.org/'] as const

const LOWEST_UNPRIVILEGED_PORT = 1024

/** Where the sidecar has to listen so that the agent's events reach it. */
export interface Listen {
  /** Addresses without brackets. */
  readonly hosts: readonly string[]
  readonly port: number
}

/** Where a pod's events go: to a sidecar, or why not. */
export type Sink = { readonly listen: Listen } | { readonly reason: Reason }

/** Both loopbacks: `localhost` may resolve to either. */
export const LOCALHOST: readonly string[] = ['127.0.0.1', '::1']

/** The containers that send a pod's events; none before KServe's webhook ran. */
export function agentsOf(pod: RawPod): readonly Readonly<Record<string, unknown>>[] {
  return list(record(pod['spec'])['containers']).filter(({ name }) => AGENTS.has(name))
}

/**
 * Finds where a pod's events go. The agent's argument counts before the annotation: an administrator may have made
 * localhost the cluster's default, which no annotation shows (fixture logger-default-url).
 */
export function sinkOf(pod: RawPod): Sink {
  const annotations = annotationsOf(pod)
  const annotated = LOGGER_PREFIXES.map(prefix => annotations[`${prefix}logger-sink-url`]).find(isSet)
  const url = agentsOf(pod).map(logUrlOf).find(isSet) ?? annotated
  if (url !== undefined) return parseSink(url)
  const hasLogger = LOGGER_PREFIXES.some(prefix => annotations[`${prefix}logger`] === 'true')
  return hasLogger
    ? skip(
        'sink_unknown',
        'the component has a logger without a URL, and no agent that would say the cluster’s default; set logger.url'
      )
    : skip('no_logger', 'the component has no logger; set logger.url to http://localhost:9480')
}

function isSet(url: string | undefined): url is string {
  return url !== undefined && url !== ''
}

/** Go's flag package takes one or two dashes, the value behind `=` or as the next argument, and the last one wins. */
function logUrlOf(container: Readonly<Record<string, unknown>>): string | undefined {
  let url: string | undefined
  const words = [...texts(container['command']), ...texts(container['args'])]
  for (const [index, word] of words.entries()) {
    const match = /^--?log-url(?:=(.*))?$/s.exec(word)
    if (match !== null) url = match[1] ?? words[index + 1]
  }
  return url
}

/**
 * Tells whether a sidecar can be what a URL leads to.
 * @param url of the logger, which KServe does not validate
 */
export function parseSink(url: string): Sink {
  const parsed = /^[a-z][a-z0-9+.-]*:\/\//i.test(url) && URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined || parsed.port === '0') {
    return skip('sink_invalid', 'the logger’s URL is none that an HTTP client could use; write http://localhost:9480')
  }
  // Never more of the URL than this: a path or a user may be a secret.
  const shown = `${parsed.protocol}//${parsed.host}`
  const hosts = loopbackHosts(parsed.hostname)
  if (hosts === undefined || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) {
    return skip(
      'sink_not_loopback',
      `the logger’s URL, ${shown}, is not in the pod; for a sidecar set http://localhost:9480`
    )
  }
  if (parsed.protocol === 'https:') {
    return skip(
      'sink_https',
      `the logger’s URL, ${shown}, is https, and the sidecar takes plain http on loopback, which never leaves the pod; write http instead`
    )
  }
  const port = parsed.port === '' ? 80 : Number(parsed.port)
  if (port < LOWEST_UNPRIVILEGED_PORT) {
    return skip(
      'sink_port_privileged',
      `the logger’s URL, ${shown}, has port ${port}, where a container without privileges cannot listen; write http://localhost:9480`
    )
  }
  return { listen: { hosts, port } }
}

/** @returns undefined when the host is not loopback */
function loopbackHosts(host: string): readonly string[] | undefined {
  if (host === 'localhost' || host === 'localhost.') return LOCALHOST
  if (/^127\.\d+\.\d+\.\d+$/.test(host)) return [host]
  return host === '[::1]' ? ['::1'] : undefined
}

function skip(code: Reason['code'], message: string): Sink {
  return { reason: { code, message } }
}
