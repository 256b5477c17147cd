/** A V2 inference payload with binary tensors: JSON, and behind it the tensors' bytes. */
export interface TensorPayload {
  readonly json: Buffer
  readonly tensorBytes: number
}

/**
 * Finds the end of the JSON in a V2 payload with binary tensors. The header that says where it is
 * (Inference-Header-Content-Length) is not in KServe's event, so the braces are counted.
 * @returns undefined when it is no such payload
 */
export function splitTensors(data: Buffer): TensorPayload | undefined {
  if (data[0] !== BRACE_OPEN) return undefined
  const end = endOfObject(data)
  if (end === undefined || end === data.length) return undefined
  const json = data.subarray(0, end)
  const tensorBytes = data.length - end
  try {
    const { inputs, outputs } = JSON.parse(json.toString('utf8')) as Record<string, unknown>
    const tensors = [inputs, outputs].filter(Array.isArray).flat() as Tensor[]
    const announced = tensors.reduce((total, tensor) => total + (tensor.parameters?.binary_data_size ?? 0), 0)
    return announced === tensorBytes ? { json, tensorBytes } : undefined
  } catch {
    return undefined
  }
}

interface Tensor {
  readonly parameters?: { readonly binary_data_size?: number }
}

const BRACE_OPEN = 0x7b
const BRACE_CLOSE = 0x7d
const QUOTE = 0x22
const BACKSLASH = 0x5c

function endOfObject(data: Buffer): number | undefined {
  let depth = 0
  let inString = false
  for (let at = 0; at < data.length; at++) {
    const byte = data[at]
    if (inString) {
      if (byte === BACKSLASH) at++
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === BRACE_OPEN) depth++
    else if (byte === BRACE_CLOSE && --depth === 0) return at + 1
  }
  return undefined
}
