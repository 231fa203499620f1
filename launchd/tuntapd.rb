# A formula for a tap of Homebrew's. `make dist URL=…` fills in what is between at signs.
class Tuntapd < Formula
  desc "Containers in Docker Desktop's VM answer your Mac on their own IP addresses"
  homepage "@URL@"
  version "@VERSION@"
  license "MIT"

  depends_on :macos

  on_intel do
    url "@URL@/tuntapd-@VERSION@-x86_64.tar.gz"
    sha256 "@SHA256_X86_64@"
  end
  on_arm do
    url "@URL@/tuntapd-@VERSION@-arm64.tar.gz"
    sha256 "@SHA256_ARM64@"
  end

  # The runtimes keep the signature of Node.js, which the installer checks.
  skip_clean :all

  def install
    libexec.install Dir["*"]
    (bin/"tuntapd-install").write <<~SH
      #!/bin/sh
      exec "#{libexec}/install" "$@"
    SH
  end

  def caveats
    <<~EOS
      Homebrew installs nothing as root, and tuntapd is a daemon of root's. To install it, or to upgrade it:
        sudo tuntapd-install
      To read first what that does: tuntapd-install --plan
      Before `brew uninstall tuntapd`: sudo tuntapctl uninstall
    EOS
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/tuntapd-install --plan")
  end
end
