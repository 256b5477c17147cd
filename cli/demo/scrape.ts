import { get } from 'node:http'

/** Samples of Prometheus's text format by name, with labels as they are printed: `name{label="value"}`. */
export type Samples = ReadonlyMap<string, number>

/** Scrapes a metrics endpoint. @throws {Error} when it does not answer 200 */
export async function scrape(url: string): Promise<Samples> {
  const text = await new Promise<string>((resolve, reject) => {
    const request = get(url, { agent: false, timeout: 5000 }, response => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (body += chunk))
      response.on('error', reject)
      response.on('end', () => {
        if (response.statusCode === 200) resolve(body)
        else reject(new Error(`GET ${url}: ${response.statusCode ?? 0}`))
      })
    })
    request.on('timeout', () => request.destroy(new Error(`GET ${url}: no answer`)))
    request.on('error', reject)
  })
  return parseSamples(text)
}

/** Reads Prometheus's text format. */
export function parseSamples(text: string): Samples {
  const samples = new Map<string, number>()
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*(?:\{.*\})?) (\S+)$/.exec(line)
    if (match?.[1] !== undefined) samples.set(match[1], Number(match[2]?.replace('+Inf', 'Infinity')))
  }
  return samples
}
