/** The K3s version that the lab installs unless a binary is given. The stand-in reports the same version. */
export const k3sVersion = "v1.36.3+k3s1";

/** The version of Kubernetes in this K3s; the stand-in's go.mod pins the same. */
export const kubernetesVersion = "v1.36.3";

/** The pause image that this K3s starts each pod with (its default for `pause-image`), with its registry. */
export const pauseImage = "docker.io/rancher/mirrored-pause:3.10.2";

/** An image for tests and the demo: an HTTP server on port 8080 that answers with the pod's host name. */
export const testImage = "docker.io/library/lab-test:1";

/** Names of a release's files, for the only architecture that the lab supports. */
export const releaseFiles = {
  binary: "k3s",
  images: "k3s-airgap-images-amd64.tar",
  sums: "sha256sum-amd64.txt",
} as const;

/** A file next to those of a release, with only {@link testImage}. */
export const testImageFile = "lab-test-image.tar";
