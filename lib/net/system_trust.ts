import { SYSTEM_BUNDLES } from "./tls_trust.ts";

/** What the operator's environment says about trust. */
export interface TrustSettings {
  /** Takes the place of the system's bundle. */
  readonly sslCertFile?: { readonly pem: string };
  /** Folders of PEM files, trusted beside the bundle. */
  readonly sslCertDirs: readonly string[];
}

const PEM_FILE = /\.(pem|crt|cer|0)$/;
/** What a folder of certificates may hold at most; Debian's has some 280 files. */
const MAX_FILES = 2_000;

/**
 * Collects the PEM texts that make up the system's trust.
 *
 * @returns The first bundle of {@linkcode SYSTEM_BUNDLES} that is there, or
 * what the settings name instead; nothing where there is neither.
 */
export function readSystemTrust({ sslCertFile, sslCertDirs }: TrustSettings): string[] {
  const fromDirs = sslCertDirs.flatMap(readFolder);
  if (sslCertFile !== undefined) return [sslCertFile.pem, ...fromDirs];
  if (fromDirs.length > 0) return fromDirs;
  for (const path of SYSTEM_BUNDLES) {
    const text = readIfThere(path);
    if (text !== undefined) return [text];
  }
  return [];
}

function readFolder(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].filter(({ name }) => PEM_FILE.test(name)).slice(0, MAX_FILES)
      .map(({ name }) => readIfThere(`${path}/${name}`) ?? "");
  } catch {
    return [];
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}
