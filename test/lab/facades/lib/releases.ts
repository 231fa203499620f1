const known: Readonly<Record<string, { build: string; kernel: string }>> = {
  '10.14': { build: '18G103', kernel: '18.7.0' },
  '10.15': { build: '19H15', kernel: '19.6.0' },
  '11': { build: '20G1427', kernel: '20.6.0' },
  '12': { build: '21H1320', kernel: '21.6.0' },
  '13': { build: '22H730', kernel: '22.6.0' },
  '14': { build: '23H124', kernel: '23.6.0' },
  '15': { build: '24G84', kernel: '24.6.0' },
  '26': { build: '25C56', kernel: '25.2.0' },
};

/** Build and kernel of a macOS release, the last of its major version. */
export function darwinOf(macos: string): { build: string; kernel: string } {
  const major = /^10\.\d+|^\d+/.exec(macos)?.[0] ?? '';
  const found = known[major];
  if (!found) throw new Error(`the lab knows no macOS ${macos}`);
  return found;
}
