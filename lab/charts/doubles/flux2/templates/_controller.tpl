{{/* A controller's account and Deployment. Takes name, values, strategy, args, ports by name, ready (a probe) and paths of volumes by name. */}}
{{- define "controller" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  labels: { app.kubernetes.io/part-of: flux, app.kubernetes.io/component: {{ .name }} }
spec:
  replicas: 1
  strategy: { type: {{ .strategy }} }
  selector:
    matchLabels: { app: {{ .name }} }
  template:
    metadata:
      labels: { app: {{ .name }} }
    spec:
      serviceAccountName: {{ .name }}
      terminationGracePeriodSeconds: 10
      securityContext: { fsGroup: 1337 }
      containers:
        - name: manager
          image: {{ printf "%s:%s" .values.image .values.tag | quote }}
          args:
            - --watch-all-namespaces=true
            - --log-level=info
            - --log-encoding=json
            - --enable-leader-election
            {{- range concat .args .values.container.additionalArgs }}
            - {{ . }}
            {{- end }}
          env:
            - name: RUNTIME_NAMESPACE
              valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
          ports:
            {{- range $name, $port := .ports }}
            - { name: {{ $name }}, containerPort: {{ $port }} }
            {{- end }}
          livenessProbe:
            httpGet: { path: /healthz, port: healthz }
          readinessProbe:
            httpGet: {{ toJson .ready }}
          resources:
            requests: { cpu: 20m, memory: 64Mi }
          securityContext:
            runAsNonRoot: true
            runAsUser: 65534
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            capabilities: { drop: [ALL] }
            seccompProfile: { type: RuntimeDefault }
          volumeMounts:
            {{- range $name, $path := .volumes }}
            - { name: {{ $name }}, mountPath: {{ $path }} }
            {{- end }}
      volumes:
        {{- range $name, $path := .volumes }}
        - { name: {{ $name }}, emptyDir: {} }
        {{- end }}
{{- end -}}
