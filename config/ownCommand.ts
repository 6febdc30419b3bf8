type Name =
  | "check"
  | "completion"
  | "doctor"
  | "gate"
  | "github"
  | "init"
  | "kubeconfig"
  | "node"
  | "onboarding"
  | "pin"
  | "preview"
  | "recover"
  | "scale"
  | "ssh"
  | "status";

/**
 * A command of this program, as every text names it. This form works in a clone, also after `npm ci --omit=dev`; the npm scripts
 * are short forms of it.
 * @param words the command and its arguments
 */
export const ownCommand = (words: `${Name}${string}`): string => `npx proxmox-k3s ${words}`;
