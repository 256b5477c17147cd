/** A stream of server-sent events, as language models answer; KServe logs it whole, as one response. */
export interface EventStream {
  /** How many events, `[DONE]` included. */
  readonly count: number
  /** The generated text put together, where the events are OpenAI's; else undefined. */
  readonly generated: string | undefined
  /** The data of each event. */
  readonly events: readonly string[]
}

/**
 * Reads a stream of server-sent events. The content type does not tell: KServe labels a response with its request's.
 * @returns undefined when the text is no such stream
 */
export function parseEventStream(text: string): EventStream | undefined {
  if (!/^(?:(?:data|event|id|retry):|:)/.test(text) || !text.includes('\n')) return undefined
  const events = text
    .split(/\r?\n\r?\n/)
    .map(dataOf)
    .filter(data => data !== undefined)
  return { count: events.length, generated: generatedText(events), events }
}

function dataOf(block: string): string | undefined {
  const lines = block.split(/\r?\n/).filter(line => line.startsWith('data:'))
  return lines.length === 0 ? undefined : lines.map(line => line.slice(5).replace(/^ /, '')).join('\n')
}

interface Chunk {
  readonly choices?: readonly { readonly text?: unknown; readonly delta?: { readonly content?: unknown } }[]
}

function generatedText(events: readonly string[]): string | undefined {
  const pieces: string[] = []
  for (const data of events) {
    if (data === '[DONE]') continue
    try {
      const choice = (JSON.parse(data) as Chunk | null)?.choices?.[0]
      const piece = choice?.text ?? choice?.delta?.content
      if (typeof piece === 'string') pieces.push(piece)
    } catch {
      return undefined
    }
  }
  return pieces.length === 0 ? undefined : pieces.join('')
}
