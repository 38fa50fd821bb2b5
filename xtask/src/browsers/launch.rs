//! How each browser is started, without a screen and also as root.

use super::browser::Browser;
use super::marionette::Marionette;
use super::webdriver::{WebDriver, request};
use crate::install::{self, Tool};
use crate::sh::{self, Process, capture, seconds};
use crate::steps::Missing;
use anyhow::{Context as _, Result, bail};
use serde_json::json;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) tools: &'static [Tool],
    start: fn(&Path) -> Result<Box<dyn Browser>>,
}

pub(crate) const KINDS: &[Kind] = &[
    Kind {
        name: "chromium",
        tools: &[("chromium", "chromium"), ("chromedriver", "chromium-driver")],
        start: chromium,
    },
    Kind { name: "firefox", tools: &[("firefox-esr", "firefox-esr")], start: firefox },
    Kind {
        name: "webkit",
        tools: &[
            ("WebKitWebDriver", "webkit2gtk-driver"),
            ("Xvfb", "xvfb"),
            ("dbus-run-session", "dbus-x11"),
        ],
        start: webkit,
    },
];

impl Kind {
    /// Starts the browser in a fresh profile. A start, and only that, is tried three times.
    pub(crate) fn launch(&self) -> Result<Box<dyn Browser>> {
        let mut last = None;
        for attempt in 1..=3 {
            let profile = sh::target()?.join("xtask").join(format!("{}-profile", self.name));
            if profile.exists() {
                fs::remove_dir_all(&profile)?;
            }
            fs::create_dir_all(&profile)?;
            match (self.start)(&profile) {
                Ok(browser) => return Ok(browser),
                Err(error) if error.is::<Missing>() => return Err(error),
                Err(error) => {
                    println!("{}: start {attempt} of 3 failed: {error:#}", self.name);
                    last = Some(error);
                }
            }
        }
        Err(last.context("no attempt was made")?.context(format!("{} does not start", self.name)))
    }
}

fn chromium(profile: &Path) -> Result<Box<dyn Browser>> {
    let mut command = sh::command("chromedriver");
    command.arg("--port=0");
    let mut driver = Process::start(&mut command, Some(&sh::log("chromium")?))?;
    let port = driver.wait_for("started successfully on port ", seconds(30))?;
    let port = port.trim_end_matches('.').parse()?;
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--no-proxy-server",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        &format!("--user-data-dir={}", profile.display()),
    ];
    let capabilities = json!({
        "goog:chromeOptions": { "binary": program("chromium")?, "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    Ok(Box::new(WebDriver::new(driver, None, port, &capabilities, true)?))
}

fn firefox(profile: &Path) -> Result<Box<dyn Browser>> {
    // Port 0: Firefox takes a free one and writes it into the profile.
    let preferences = r#"
user_pref("marionette.port", 0);
user_pref("devtools.console.stdout.content", true);
user_pref("network.proxy.type", 0);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
"#;
    fs::write(profile.join("user.js"), preferences)?;
    let mut command = sh::command(program("firefox-esr")?);
    command.args(["-headless", "-marionette", "-no-remote", "-profile"]).arg(profile).env("HOME", profile);
    let mut firefox = Process::start(&mut command, Some(&sh::log("firefox")?))?;
    let deadline = Instant::now() + seconds(60);
    loop {
        let written = fs::read_to_string(profile.join("MarionetteActivePort")).unwrap_or_default();
        if let Ok(port) = written.trim().parse() {
            return Ok(Box::new(Marionette::new(firefox, port)?));
        }
        if firefox.has_ended()? || Instant::now() >= deadline {
            bail!("Firefox opened no port for Marionette{}", firefox.tail());
        }
        sleep(Duration::from_millis(50));
    }
}

fn webkit(profile: &Path) -> Result<Box<dyn Browser>> {
    let mini_browser = mini_browser()?;
    let mut command = sh::command("Xvfb");
    command.args(["-displayfd", "1", "-nolisten", "tcp", "-screen", "0", "1280x1024x24"]);
    let mut display = Process::start(&mut command, Some(&sh::log("xvfb")?))?;
    let number = display.wait_for_line("a display number", seconds(30), |line| line.parse::<u32>().ok())?;

    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let mut command = sh::command("dbus-run-session");
    command.args(["--", "WebKitWebDriver", "--host=127.0.0.1", &format!("--port={port}")]);
    command.env("DISPLAY", format!(":{number}")).env("HOME", profile).env("GDK_BACKEND", "x11");
    // No sandbox within a container, and no graphics processor. Without compositing or DMABUF no screenshot would be answered.
    command.env("WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS", "1").env("LIBGL_ALWAYS_SOFTWARE", "1");
    let mut driver = Process::start(&mut command, Some(&sh::log("webkit")?))?;
    let deadline = Instant::now() + seconds(30);
    while request(port, "GET", "/status", None).is_err() {
        if driver.has_ended()? || Instant::now() >= deadline {
            bail!("WebKitWebDriver does not answer{}", driver.tail());
        }
        sleep(Duration::from_millis(50));
    }
    let options = json!({ "binary": mini_browser, "args": ["--automation"] });
    let capabilities = json!({ "webkitgtk:browserOptions": options });
    // Under automation WebKit keeps what pages write to the console to itself.
    Ok(Box::new(WebDriver::new(driver, Some(display), port, &capabilities, false)?))
}

/// WebKit's small browser belongs to a package without a program on `PATH`.
fn mini_browser() -> Result<PathBuf> {
    let package = "libwebkit2gtk-4.1-0";
    let files = capture(sh::command("dpkg").args(["-L", package])).unwrap_or_default();
    let found = files.lines().find(|line| line.ends_with("/MiniBrowser"));
    found
        .map(PathBuf::from)
        .ok_or_else(|| Missing(format!("no MiniBrowser in the Debian package {package}")).into())
}

/// The full path, which the programs themselves ask for; installs what is missing.
fn program(name: &'static str) -> Result<PathBuf> {
    install::programs(&[(name, name)])?;
    sh::find(name).with_context(|| format!("{name} is gone from PATH"))
}
