import { Agent, request } from 'undici'

/** What every object of Kubernetes has. */
export interface KubernetesObject {
  apiVersion?: string
  kind?: string
  metadata?: Metadata
}

/** Of an object; more fields are there than are named. */
export interface Metadata {
  name?: string
  generateName?: string
  namespace?: string
  uid?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
}

/** Who asks: a client's certificate, or a ServiceAccount's token. */
export type Credentials = { ca: string; cert: string; key: string } | { ca: string; token: string }

/** What the API server says instead of an object. */
export class StatusError extends Error {
  readonly code: number
  /** `Forbidden`, `BadRequest`, …; empty when the API server gave none. */
  readonly reason: string

  constructor(code: number, reason: string, message: string) {
    super(message)
    this.code = code
    this.reason = reason
  }
}

/** An object as the API server returned it, and the warnings that came with it. */
export interface Created<T> {
  object: T
  warnings: string[]
}

const contentTypes = {
  POST: 'application/json',
  PUT: 'application/json',
  PATCH: 'application/merge-patch+json'
} as const

/** A client for JSON, with nothing between a test and the API. */
export class KubernetesClient {
  readonly #url: string
  readonly #agent: Agent
  readonly #headers: Record<string, string>

  /** @param url the API server's, `https://…` */
  constructor(url: string, credentials: Credentials) {
    const { ca } = credentials
    this.#url = url
    this.#headers = 'token' in credentials ? { authorization: `Bearer ${credentials.token}` } : {}
    const own = 'cert' in credentials ? { cert: credentials.cert, key: credentials.key } : {}
    this.#agent = new Agent({ connect: { ca, ...own } })
  }

  /** Whether the API server is up and says that it is ready. */
  async isReady(): Promise<boolean> {
    try {
      return (await this.#send('GET', '/readyz')).status === 200
    } catch {
      return false
    }
  }

  /** @throws {StatusError} */
  async get<T = Record<string, unknown>>(path: string): Promise<T> {
    return JSON.parse(await this.text(path)) as T
  }

  /** The same for what may not be there. */
  async find<T = Record<string, unknown>>(path: string): Promise<T | undefined> {
    try {
      return await this.get<T>(path)
    } catch (error) {
      if (error instanceof StatusError && error.code === 404) return undefined
      throw error
    }
  }

  /** The objects of a collection's path. */
  async list<T = KubernetesObject>(path: string): Promise<T[]> {
    return (await this.get<{ items: T[] }>(path)).items
  }

  /** What is no JSON: `/metrics`, `/readyz?verbose`. */
  async text(path: string): Promise<string> {
    return (await this.#send('GET', path)).body
  }

  /** Creates an object where its kind and namespace say. @throws {StatusError} */
  async create<T extends KubernetesObject>(object: T, options: { dryRun?: boolean } = {}): Promise<T> {
    return (await this.createWithWarnings(object, options)).object
  }

  /** The same, for those who want to see what `kubectl` would print as warnings. */
  async createWithWarnings<T extends KubernetesObject>(
    object: T,
    { dryRun = false }: { dryRun?: boolean } = {}
  ): Promise<Created<T>> {
    const path = `${collectionOf(object)}${dryRun ? '?dryRun=All' : ''}`
    const { body, warnings } = await this.#send('POST', path, JSON.stringify(object))
    return { object: JSON.parse(body) as T, warnings }
  }

  /** POSTs to a path that is not an object's collection: a subresource. */
  async post<T = Record<string, unknown>>(path: string, body: unknown): Promise<T> {
    return JSON.parse((await this.#send('POST', path, JSON.stringify(body))).body) as T
  }

  /** A merge patch (RFC 7386). */
  async patch<T = Record<string, unknown>>(path: string, patch: unknown): Promise<T> {
    return JSON.parse((await this.#send('PATCH', path, JSON.stringify(patch))).body) as T
  }

  /** Nothing happens when it is not there. */
  async delete(path: string): Promise<void> {
    try {
      await this.#send('DELETE', path)
    } catch (error) {
      if (!(error instanceof StatusError) || error.code !== 404) throw error
    }
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  async #send(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body?: string
  ): Promise<{ status: number; body: string; warnings: string[] }> {
    const type = method === 'POST' || method === 'PATCH' ? { 'content-type': contentTypes[method] } : {}
    const response = await request(this.#url + path, {
      method,
      dispatcher: this.#agent,
      headers: { ...this.#headers, ...type },
      ...(body === undefined ? {} : { body })
    })
    const text = await response.body.text()
    if (response.statusCode >= 300) throw statusError(response.statusCode, text)
    return { status: response.statusCode, body: text, warnings: warningsOf(response.headers['warning']) }
  }
}

/** The path below which objects of a kind are: `/apis/apps/v1/namespaces/models/deployments`. */
export function collectionOf({ apiVersion = 'v1', kind = '', metadata = {} }: KubernetesObject): string {
  const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  const scope = metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`
  return `${group}${scope}/${kind.toLowerCase().replace(/y$/, 'ie')}s`
}

/** The path of an object that has a name. */
export function pathOf(object: KubernetesObject): string {
  return `${collectionOf(object)}/${object.metadata?.name ?? ''}`
}

function statusError(code: number, text: string): StatusError {
  try {
    const { reason = '', message = text } = JSON.parse(text) as { reason?: string; message?: string }
    return new StatusError(code, reason, message)
  } catch {
    return new StatusError(code, '', text)
  }
}

/** Warnings are `299 - "text"` (RFC 7234), the text with quotes and backslashes escaped. */
function warningsOf(header: string | string[] | undefined): string[] {
  return [header ?? []].flat().flatMap(line => {
    return [...line.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => text.replace(/\\(.)/g, '$1'))
  })
}
