/** Which topics are meant. */
export interface TopicSelection {
  /** Topics by name: waited for when they are missing. */
  readonly names: readonly string[]
  /** Topics by pattern: those that exist, and those that come. */
  readonly patterns: readonly RegExp[]
}

const LEGAL = /^[a-zA-Z0-9._-]{1,249}$/

/**
 * Reads topics as they are given on the command line: names, and regular expressions that start with `^`.
 * @throws {Error} for what is neither
 */
export function parseTopics(arguments_: readonly string[]): TopicSelection {
  const names = new Set<string>()
  const patterns: RegExp[] = []
  for (const text of arguments_) {
    if (text.startsWith('^')) patterns.push(parsePattern(text))
    else if (LEGAL.test(text)) names.add(text)
    else {
      throw new Error(
        `${JSON.stringify(text)} is no topic: a name has letters, digits, dots, underscores and hyphens; a regular expression starts with ^`
      )
    }
  }
  return { names: [...names], patterns }
}

/** Whether a topic that exists is meant by a pattern. Kafka's own (`__consumer_offsets`) are when the pattern says so. */
export function matchesPattern({ patterns }: TopicSelection, topic: string): boolean {
  return patterns.some(pattern => pattern.test(topic) && (!topic.startsWith('__') || pattern.source.startsWith('^__')))
}

function parsePattern(text: string): RegExp {
  try {
    return new RegExp(text, 'u')
  } catch (error) {
    throw new Error(`${JSON.stringify(text)} is no regular expression: ${(error as Error).message}`, { cause: error })
  }
}
