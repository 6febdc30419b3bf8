/** The port of the Kubernetes API on every server: K3s' default, which the config cannot change (`https-listen-port`). */
export const API_PORT = 6443;

/** The address of the cluster's API, for access from outside and for new agents. */
export interface EndpointPlan {
  /** Address of the first server. */
  readonly host: string;
  readonly port: number;
}

export const endpointUrl = ({ host, port }: EndpointPlan): string => `https://${host}:${port}`;
