import * as v from 'valibot'
import { ValueError } from '../../sidecar/config/units.ts'

type Message = (issue: { readonly input: unknown; readonly expected: string | null }) => string

/** Says what is wrong with something that is missing, or not even of the right kind. */
function kind(expected: string): Message {
  return issue => {
    // Valibot says in this way that a key is missing.
    if (issue.expected?.startsWith('"')) return 'is required'
    return issue.input === null ? 'has no value' : `has to be ${expected}`
  }
}

/**
 * A value that is one text in the file.
 * @param parse throws {@link ValueError}, whose message says what is allowed
 */
export function leaf<T>(parse: (text: string) => T): v.GenericSchema<string, T> {
  return v.pipe(
    v.string(kind('one value, and no list or mapping')),
    v.rawTransform<string, T>(({ dataset, addIssue, NEVER }) => {
      try {
        return parse(dataset.value)
      } catch (error) {
        if (!(error instanceof ValueError)) throw error
        addIssue({ message: `has to be ${error.message}` })
        return NEVER
      }
    })
  )
}

/** A value that is checked, and stays the text that it is. */
export function text(check: (text: string) => unknown): v.GenericSchema<string, string> {
  return leaf(value => {
    check(value)
    return value
  })
}

/** A mapping with known keys. Others are found by {@link unknownKeys}: all of them, where valibot names the first. */
export function section<const E extends v.ObjectEntries>(entries: E): v.ObjectSchema<E, Message> {
  return v.object(entries, kind('a mapping'))
}

/** A mapping whose keys are the user's. */
export function mapping<T>(
  key: (text: string) => unknown,
  value: v.GenericSchema<unknown, T> | v.GenericSchema<string, T>
): v.RecordSchema<v.GenericSchema<string, string>, v.GenericSchema<unknown, T>, Message> {
  return v.record(text(key), value as v.GenericSchema<unknown, T>, kind('a mapping'))
}

export function list<T>(item: v.GenericSchema<string, T>): v.ArraySchema<v.GenericSchema<string, T>, Message> {
  return v.array(item, kind('a list'))
}

/** What a setting means, for docs/webhook-settings.md. */
export function described<const S extends v.GenericSchema>(
  schema: S,
  doc: string
): v.SchemaWithPipe<readonly [S, v.DescriptionAction<v.InferOutput<S>, string>]> {
  return v.pipe(schema, v.description(doc))
}
