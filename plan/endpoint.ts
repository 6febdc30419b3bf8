/** The port of the Kubernetes API on every server: K3s' own, which the config may not move (`https-listen-port`). */
export const API_PORT = 6443;

/** Where the cluster's API is reached from outside, and where agents without a server find one. */
export interface EndpointPlan {
  /** Address of the first server. */
  readonly host: string;
  readonly port: number;
}

export const endpointUrl = ({ host, port }: EndpointPlan): string => `https://${host}:${port}`;
