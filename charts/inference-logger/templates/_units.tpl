{{/* A number, boolean or text as it was written: numbers from a file are floats, and 2000000 would be 2e+06. */}}
{{- define "inference-logger.text" -}}
{{- if kindIs "float64" . }}{{ if eq (floor .) . }}{{ int64 . }}{{ else }}{{ . }}{{ end }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* Bytes of a quantity: 256Mi, 1Gi, 500M or plain bytes. Takes (list text path). */}}
{{- define "inference-logger.bytes" -}}
{{- $text := include "inference-logger.text" (index . 0) }}
{{- if not (regexMatch "^[0-9]+(Ki|Mi|Gi|Ti|k|M|G|T)?$" $text) }}
{{- fail (printf "%s is %q: it has to be a whole number of bytes, such as 256Mi or 1Gi" (index . 1) $text) }}
{{- end }}
{{- $factors := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- mul (regexFind "^[0-9]+" $text | int64) (get $factors (regexFind "[A-Za-z]*$" $text) | int64) }}
{{- end }}

{{/* Milliseconds of a time: 500ms, 5s, 2m. Takes (list text path). */}}
{{- define "inference-logger.milliseconds" -}}
{{- $text := index . 0 | toString }}
{{- if not (regexMatch "^[0-9]+(ms|s|m)$" $text) }}
{{- fail (printf "%s is %q: it has to be a time, such as 500ms, 5s or 2m" (index . 1) $text) }}
{{- end }}
{{- mul (regexFind "^[0-9]+" $text | int64) (get (dict "ms" 1 "s" 1000 "m" 60000) (regexFind "[a-z]+$" $text)) }}
{{- end }}
