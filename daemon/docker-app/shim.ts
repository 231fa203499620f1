import template from './hyperkit-shim.sh';

/** The shim's text as it would be installed. Throws RangeError for values that have no business in a shell script. */
export function renderShim({ device, mac, wait }: { device: string; mac: string; wait: number }): string {
  if (!/^tap\d{1,2}$/.test(device) || !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac) || !Number.isInteger(wait))
    throw new RangeError(`not fit for the shim: ${device} ${mac} ${wait}`);
  return (
    template
      .replace('@DEVICE@', device)
      .replace('@MAC@', mac)
      // It looks four times a second.
      .replace('@TRIES@', String(wait * 4))
  );
}
