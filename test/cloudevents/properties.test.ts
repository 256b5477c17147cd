import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseBinary } from '../../sidecar/cloudevents/binary.ts'
import { InvalidEventError } from '../../sidecar/cloudevents/errors.ts'
import { decodeHeaderValue } from '../../sidecar/cloudevents/header-values.ts'
import { parseBatch, parseStructured } from '../../sidecar/cloudevents/structured.ts'
import { headerBytes, headerText, jsonValue } from './arbitraries.ts'
import { onTheWire, required, requiredMembers } from './reading.ts'

const ignore = (): void => {}

/** The encoder that HTTP binding 3.1.3.2 asks of senders. */
function percentEncode(text: string): string {
  return text.replace(/[^\u0021-\u007e]|["%]/gu, character =>
    [...Buffer.from(character, 'utf8')].map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')
  )
}

describe('whatever bytes a header has', () => {
  for (const decoding of ['auto', 'raw'] as const) {
    test(`decoding them never throws, and yields text without NUL and without half characters (${decoding})`, () => {
      fc.assert(
        fc.property(headerBytes, bytes => {
          const value = decodeHeaderValue('x', bytes, decoding, ignore)
          assert.ok(!value.includes('\0') && value.isWellFormed())
        }),
        { numRuns: 5000 }
      )
    })
  }

  test('strict decoding gives text or refuses', () => {
    fc.assert(
      fc.property(headerBytes, bytes => {
        try {
          const value = decodeHeaderValue('x', bytes, 'strict', ignore)
          assert.ok(!value.includes('\0') && value.isWellFormed())
        } catch (error) {
          assert.ok(error instanceof InvalidEventError)
        }
      }),
      { numRuns: 3000 }
    )
  })
})

describe('text in a header arrives as it was', () => {
  for (const decoding of ['auto', 'strict'] as const) {
    test(`from a sender that percent-encodes (${decoding})`, () => {
      fc.assert(
        fc.property(headerText, text => {
          assert.equal(decodeHeaderValue('x', percentEncode(text), decoding, assert.fail), text)
        }),
        { numRuns: 2000 }
      )
    })
  }

  test('from a sender that quotes (auto)', () => {
    fc.assert(
      fc.property(headerText, text => {
        const quoted = `"${percentEncode(text).replace(/[\\"]/g, '\\$&')}"`
        assert.equal(decodeHeaderValue('x', quoted, 'auto', assert.fail), text)
      }),
      { numRuns: 1000 }
    )
  })

  test('from KServe, whose values are raw JSON (auto): whatever a client’s headers had, percent signs included', () => {
    const escape = fc.stringMatching(/^%[0-9A-Fa-f]{2}$/)
    fc.assert(
      fc.property(fc.dictionary(headerText, fc.array(fc.oneof(headerText, escape))), metadata => {
        const json = JSON.stringify(metadata)
        assert.equal(decodeHeaderValue('metadata', onTheWire(json), 'auto', ignore), json)
      }),
      { numRuns: 2000 }
    )
  })

  test('from anyone (raw)', () => {
    fc.assert(
      fc.property(headerText, text => {
        assert.equal(decodeHeaderValue('x', onTheWire(text), 'raw', assert.fail), text)
      })
    )
  })
})

describe('a request is an event or refused with a reason, and nothing else', () => {
  const orRefused = (read: () => unknown): void => {
    try {
      read()
    } catch (error) {
      assert.ok(error instanceof InvalidEventError, String(error))
      assert.ok(error.message.length < 1000)
    }
  }
  const token = fc.stringMatching(/^[Cc]e-[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/)
  const headers = fc.array(
    fc.tuple(fc.oneof(token, fc.constantFrom(...Object.keys(required), 'Content-Type')), headerBytes)
  )

  for (const decoding of ['auto', 'strict', 'raw'] as const) {
    test(`in binary mode (${decoding})`, () => {
      const version = fc.constantFrom('0.2', '0.3', '1.0')
      fc.assert(
        fc.property(headers, version, fc.uint8Array(), (more, specversion, body) => {
          const all = [...Object.entries({ ...required, 'Ce-Specversion': specversion }), ...more].flat()
          orRefused(() => parseBinary(all, Buffer.from(body), decoding, ignore))
        }),
        { numRuns: 1000 }
      )
    })
  }

  test('in structured mode and in a batch', () => {
    const name = fc.oneof(
      fc.constantFrom('data', 'data_base64', 'datacontenttype', ...Object.keys(requiredMembers)),
      fc.string()
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(name, jsonValue)), members => {
        const texts = [
          ...Object.entries(requiredMembers).map(([key, value]) => [key, JSON.stringify(value)] as const),
          ...members
        ]
        const text = `{${texts.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`
        orRefused(() => parseStructured(Buffer.from(text), ignore))
        orRefused(() => parseBatch(Buffer.from(`[${text}]`), ignore))
      }),
      { numRuns: 2000 }
    )
  })

  test('whatever bytes a structured body has', () => {
    fc.assert(
      fc.property(fc.uint8Array(), bytes => {
        orRefused(() => parseStructured(Buffer.from(bytes), ignore))
        orRefused(() => parseBatch(Buffer.from(bytes), ignore))
      })
    )
  })
})
