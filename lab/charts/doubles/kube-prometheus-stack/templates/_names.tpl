{{- define "labels" -}}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: {{ .Chart.Name }}
release: {{ .Release.Name }}
{{- end }}

{{- define "operator.labels" -}}
{{ include "labels" . }}
app: {{ .Chart.Name }}-operator
app.kubernetes.io/name: {{ .Chart.Name }}-prometheus-operator
app.kubernetes.io/component: prometheus-operator
{{- end }}

{{- define "prometheus.labels" -}}
{{ include "labels" . }}
app: {{ .Chart.Name }}-prometheus
{{- end }}

{{- define "exporter.selector" -}}
app.kubernetes.io/name: prometheus-node-exporter
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "exporter.labels" -}}
{{ include "exporter.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: prometheus-node-exporter
app.kubernetes.io/component: metrics
release: {{ .Release.Name }}
jobLabel: node-exporter
{{- end }}

{{/* image: an image from a map with registry, repository and tag; the tag is the chart's appVersion by default. */}}
{{- define "image" -}}
{{- $image := index . 0 -}}
{{- printf "%s/%s:%s" $image.registry $image.repository ($image.tag | default (index . 1).Chart.AppVersion) -}}
{{- end }}

{{/* selector: the objects that Prometheus reads: all, or only those with the label of the release. */}}
{{- define "selector" -}}
{{- if index . 0 }}{ matchLabels: { release: {{ (index . 1).Release.Name }} } }{{ else }}{}{{ end -}}
{{- end }}

{{/* account: a ServiceAccount with a ClusterRole that has the rules of the template `NAME.rules`. */}}
{{- define "account" -}}
{{- $name := printf "%s-%s" .root.Release.Name .of }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "labels" .root | nindent 4 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $name }}
  labels: {{- include "labels" .root | nindent 4 }}
rules: {{- include (printf "%s.rules" .of) .root | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name }}
  labels: {{- include "labels" .root | nindent 4 }}
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ $name }} }
subjects: [{ kind: ServiceAccount, name: {{ $name }}, namespace: {{ .root.Release.Namespace }} }]
{{- end }}
