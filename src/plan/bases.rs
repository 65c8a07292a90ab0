//! Which images each managed image builds on, and under which name each base image is recorded.

use std::collections::{BTreeMap, BTreeSet};

use super::abreast::{Abreast, Hashed};
use super::desired::Desired;
use super::observed::{DockerfileFact, Observation};
use super::recorded::{Recorded, identity};
use crate::base::Fingerprint;
use crate::model::{ImageName, ImageReference, Subject};

/// The wanted base images, and who builds on them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bases {
    /// Names of the bases of each managed image: base images, or managed images.
    pub of: BTreeMap<ImageName, Vec<String>>,
    /// Every base image that is wanted, by name.
    pub wanted: BTreeMap<ImageName, ImageReference>,
    /// Base images that must stay because something that may use them could not be read.
    pub kept: BTreeSet<ImageName>,
    /// Recorded base images that are built here now.
    pub promoted: BTreeMap<ImageName, ImageName>,
    /// Something that may use any of them could not be read: no base image is pruned.
    pub frozen: bool,
}

/// Links images to their bases. `kept` are recorded images that stay as they are whatever the config says.
pub fn link(
    desired: &Desired,
    recorded: &Recorded,
    dockerfiles: &BTreeMap<ImageName, Observation<DockerfileFact>>,
    kept: &BTreeSet<Subject>,
) -> Bases {
    let mut bases = Bases::default();
    let managed: Hashed<(&str, &str), &ImageName> = desired
        .entries
        .values()
        .filter(|entry| entry.build().is_some())
        .map(|entry| ((entry.registry.as_str(), entry.repository.as_str()), &entry.name))
        .collect();
    let mut names = Names::recorded(recorded);
    let mut found: BTreeSet<ImageReference> = BTreeSet::new();
    for fact in dockerfiles.values() {
        let Observation::Known(DockerfileFact::Bases(images)) = fact else { continue };
        for image in images.iter().filter(|image| !managed.contains_key(&(image.registry.as_str(), image.repository.as_str()))) {
            if image.digest.is_none() && found.contains(image) {
                continue;
            }
            found.insert(identity(image));
        }
    }
    // In the order of references, so that which of two takes the short name is no accident.
    for image in &found {
        let name = names.name(image);
        bases.wanted.insert(name, image.clone());
    }
    let mut dockerfiles = Abreast::of(dockerfiles);
    for (name, entry) in &desired.entries {
        let fact = dockerfiles.at(name);
        if entry.build().is_none() {
            continue;
        }
        match fact {
            Some(Observation::Known(DockerfileFact::Bases(images))) => {
                let mut of = Vec::new();
                for image in images {
                    let base = match managed.get(&(image.registry.as_str(), image.repository.as_str())) {
                        Some(ours) => ours.to_string(),
                        None => names.of(image).to_string(),
                    };
                    if !of.contains(&base) {
                        of.push(base);
                    }
                }
                bases.of.insert(name.clone(), of);
            }
            _ => bases.remember(recorded, name),
        }
    }
    for subject in kept {
        bases.remember(recorded, &subject.name);
    }
    for (name, state) in &recorded.bases {
        if let Some(ours) = managed.get(&(state.image.registry.as_str(), state.image.repository.as_str())) {
            bases.promoted.insert(name.clone(), (*ours).clone());
            bases.wanted.remove(name);
            bases.kept.remove(name);
        }
    }
    bases
}

impl Bases {
    /// An image whose Dockerfile is unknown still builds on what it last built on.
    fn remember(&mut self, recorded: &Recorded, image: &ImageName) {
        if let Some(state) = recorded.images.get(image) {
            for base in &state.base_images {
                if let Some((name, state)) = ImageName::parse(base).ok().and_then(|name| recorded.bases.get_key_value(&name)) {
                    self.wanted.insert(name.clone(), state.image.clone());
                    self.kept.insert(name.clone());
                }
            }
            self.of.insert(image.clone(), state.base_images.clone());
        } else if recorded.unreadable.contains(&Subject::image(image)) {
            self.frozen = true;
        }
    }
}

/// Names given and names taken. A name once given never changes.
struct Names {
    given: BTreeMap<ImageReference, ImageName>,
    taken: BTreeSet<ImageName>,
}

impl Names {
    fn recorded(recorded: &Recorded) -> Self {
        let given: BTreeMap<_, _> = recorded.bases.values().map(|state| (identity(&state.image), state.name.clone())).collect();
        let taken = recorded.bases.keys().cloned().collect();
        Self { given, taken }
    }

    fn of(&mut self, image: &ImageReference) -> ImageName {
        // Most references are what makes them the same image already, and need no copy to be found.
        if image.tag.is_some() && image.digest.is_some() { self.name(&identity(image)) } else { self.name(image) }
    }

    fn name(&mut self, image: &ImageReference) -> ImageName {
        if let Some(name) = self.given.get(image) {
            return name.clone();
        }
        let mut name = ImageName::of_base(image);
        if self.taken.contains(&name) {
            name = name.suffixed(&Fingerprint::of(&image.canonical()).hex(3));
        }
        self.taken.insert(name.clone());
        self.given.insert(image.clone(), name.clone());
        name
    }
}
