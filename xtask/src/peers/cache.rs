//! Where peers are installed, once: a folder that can be thrown away.

use super::child::{spec, succeed};
use anyhow::{Context, Result, ensure};
use process::ChildSpec;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder of environments, models, logs and results.
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    pub(crate) fn new(root: &Path) -> Result<Self> {
        for folder in ["logs", "results"] {
            let folder = root.join(folder);
            fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let root = root.canonicalize()?;
        Ok(Self { root })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    pub(crate) fn results(&self, name: &str) -> PathBuf {
        self.root.join("results").join(format!("{name}.json"))
    }

    /// Installs `name` unless it is there as `wants` says. The note that it is there is written last, so that an
    /// installation that was broken off is begun again.
    pub(crate) fn once(
        &self,
        name: &str,
        wants: &str,
        install: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let note = self.path(&format!("{name}.installed"));
        if fs::read_to_string(&note).is_ok_and(|has| has == wants) {
            return Ok(());
        }
        eprintln!("installing {name} into {}", self.path(name).display());
        install().with_context(|| format!("{name} cannot be installed"))?;
        Ok(fs::write(note, wants)?)
    }

    /// A step of an installation.
    pub(crate) fn step(&self, name: &str, program: &Path, args: &[&str]) -> Result<String> {
        let mut step = spec(name, program, args);
        step.environment = vec![(
            "UV_CACHE_DIR".to_owned(),
            self.path("uv-cache").display().to_string(),
        )];
        self.do_step(&step)
    }

    fn do_step(&self, step: &ChildSpec) -> Result<String> {
        succeed(step, &self.log(&format!("install-{}", step.name)))
    }

    /// A Python environment with these packages of `PyPI`; the folder of its programs. `instead` are versions to take
    /// whatever the packages ask for.
    pub(crate) fn environment(
        &self,
        name: &str,
        packages: &[&str],
        instead: &[&str],
    ) -> Result<PathBuf> {
        let folder = self.path(name);
        let programs = folder.join("bin");
        let python = programs.join("python");
        let wants = format!("{}\n{}\n", packages.join("\n"), instead.join("\n"));
        self.once(name, &wants, || {
            let uv = self.uv()?;
            if !python.exists() {
                let place = folder.display().to_string();
                self.step(name, &uv, &["venv", "--quiet", &place])?;
            }
            let overrides = self.path(&format!("{name}.overrides"));
            fs::write(&overrides, instead.join("\n"))?;
            let (python, overrides) = (
                python.display().to_string(),
                overrides.display().to_string(),
            );
            let mut args = vec!["pip", "install", "--quiet", "--python", &python];
            if !instead.is_empty() {
                args.extend(["--override", &overrides]);
            }
            args.extend(packages);
            self.step(name, &uv, &args).map(drop)
        })?;
        Ok(programs)
    }

    /// It keeps what two environments have in common once on the disk, such as torch's two gigabytes.
    fn uv(&self) -> Result<PathBuf> {
        let folder = self.path("uv");
        let uv = folder.join("bin/uv");
        self.once("uv", "uv\n", || {
            let place = folder.display().to_string();
            self.step("uv", Path::new("python3"), &["-m", "venv", &place])?;
            let pip = ["-m", "pip", "install", "--quiet", "uv"];
            self.step("uv", &folder.join("bin/python"), &pip).map(drop)
        })?;
        Ok(uv)
    }

    /// The path that a script of `tools/` prints: it puts a model into this folder.
    pub(crate) fn model(&self, script: &str) -> Result<PathBuf> {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools");
        let root = self.root.display().to_string();
        let words = self.step(script, &tools.join(script), &[&root])?;
        let path = PathBuf::from(words.lines().last().unwrap_or_default());
        ensure!(
            path.exists(),
            "{script} printed {words:?}, which is no path"
        );
        Ok(path)
    }

    /// A program of the system, installed with apt where it is missing.
    pub(crate) fn program(&self, program: &str, package: &str) -> Result<PathBuf> {
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let found = || {
            std::env::split_paths(&folders)
                // Debian keeps daemons out of a user's PATH.
                .chain([PathBuf::from("/usr/sbin")])
                .map(|folder| folder.join(program))
                .find(|path| path.is_file())
        };
        if let Some(path) = found() {
            return Ok(path);
        }
        eprintln!("installing {package}");
        let apt = Path::new("apt-get");
        self.step("apt-update", apt, &["update", "-qq"])?;
        let mut install = spec(package, apt, &["install", "-y", "-qq", package]);
        // Installing a daemon must not start it.
        let quiet = [("DEBIAN_FRONTEND", "noninteractive"), ("RUNLEVEL", "1")];
        install.environment = quiet
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        self.do_step(&install)?;
        found().with_context(|| format!("{package} brought no program {program}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;
    use anyhow::bail;
    use std::cell::Cell;

    #[test]
    fn what_is_there_is_not_installed_again_and_what_was_broken_off_is() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(folder.path()).unwrap();
        let times = Cell::new(0);
        let install = |fails: bool| {
            times.set(times.get() + 1);
            if fails {
                bail!("no network");
            }
            Ok(())
        };
        assert!(cache.once("x", "x==1", || install(true)).is_err());
        cache.once("x", "x==1", || install(false)).unwrap();
        cache.once("x", "x==1", || install(false)).unwrap();
        assert_eq!(times.get(), 2);
        cache.once("x", "x==2", || install(false)).unwrap();
        assert_eq!(times.get(), 3);
    }
}
