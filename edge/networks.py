"""The two networks at work: from the configuration, or from the store that updates go into."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from edge.config import Config, decision_settings, policy_settings
from edge.gate.tracker import TrackerSettings
from edge.modelfile import LABELS, Kind, ModelFile, read_model, released_model
from edge.service import Change
from edge.vision.classifier import MaskClassifier
from edge.vision.detector import FaceDetector
from edge.watch import Scene, Settings

if TYPE_CHECKING:
    from edge.modelstore.feed import ModelFeed
    from edge.modelstore.state import Note

# The detector's doubtful faces, which keep a known person alive, reach down to this share of
# the score from which a face may be a new person.
_DOUBTFUL = 0.5
# A face is worth a look when the detector is so much surer of it than of a face as such.  On the
# validation photographs this halves what is called out where there is no face, hands and wheels
# (11.4 to 6.9 in 100 pictures), for 1 % of the faces.
_SURER = 0.05


class Networks:
    """The networks, and the settings of the gate that go with their cards.

    *feed* brings new ones; without it they stay what they are.
    """

    def __init__(
        self,
        detector: FaceDetector,
        classifier: MaskClassifier,
        config: Config,
        feed: ModelFeed | None = None,
    ) -> None:
        self.detector = detector
        self.classifier = classifier
        self._config = config
        self._feed = feed

    @property
    def settings(self) -> Settings:
        return gate_settings(self.detector.model, self.classifier.model, self._config)

    @property
    def words(self) -> tuple[str, str]:
        """The name, version and start of the checksum of the detector and of the classifier."""
        return model_words(self.detector.model), model_words(self.classifier.model)

    def use(self, config: Config) -> None:
        """Go by *config* from now on, which names the same networks."""
        self._config = config

    def change(self) -> Change | None:
        """Return what runs from the next frame on, None for the same as before; never waits."""
        if self._feed is None:
            return None
        swap = self._feed.poll()
        if swap is None:
            # What went back while the program was away is shown as what goes back at work is.
            back = self._feed.went_back()
            return Change(back, trouble=True) if back else None
        self.detector = swap.detector or self.detector
        self.classifier = swap.classifier or self.classifier
        return Change(
            swap.words, trouble=swap.back, detector=swap.detector, classifier=swap.classifier,
            settings=self.settings,
        )

    def saw(self, scene: Scene) -> None:
        """Note how a fresh frame was judged, by which new networks are watched."""
        if self._feed is not None:
            left = [e.verdict for e in scene.events if e.event == "person_left" and e.verdict]
            faces = sum(person.track.face is not None for person in scene.people)
            self._feed.saw(time.monotonic(), faces, left, scene.size)

    def failed(self, error: Exception) -> bool:
        """Say that a network failed at work; return whether another will take its place."""
        return self._feed is not None and self._feed.failed(f"{type(error).__name__}: {error}")

    def notes(self) -> tuple[Note, ...]:
        """Return what happened to models in the store since the last call; never waits."""
        return self._feed.notes() if self._feed is not None else ()

    def close(self) -> None:
        """End updates in good order; may be called twice."""
        feed, self._feed = self._feed, None
        if feed is not None:
            feed.close()


def open_networks(
    config: Config, *, service: bool, environ: Mapping[str, str] = os.environ
) -> Networks:
    """Return the networks that *config* asks for.

    A file that is named there is used, and updates are off.  Otherwise the store is asked where
    there is one, and *service* makes one.  Raises ModelError for a file that cannot be used.
    """
    threads = thread_count(config)

    def detector(model: ModelFile) -> FaceDetector:
        score = _sure(model) * _DOUBTFUL
        return FaceDetector(
            model, threads, score_threshold=score, detail=config.models.detail
        )

    def classifier(model: ModelFile) -> MaskClassifier:
        return MaskClassifier(model, threads)

    named = config.models.detector or config.models.classifier
    root = config.updates.root(environ)
    if not named and config.updates.enabled and (service or root.is_dir()):
        from edge.modelstore.feed import open_feed
        from edge.modelstore.loading import Loaders

        released: dict[Kind, ModelFile] = {
            "face-detector": read_model(released_model("face-detector"), "face-detector"),
            "mask-classifier": read_model(released_model("mask-classifier"), "mask-classifier"),
        }
        feed = open_feed(config.updates, released, Loaders(detector, classifier))
        return Networks(*feed.start(), config, feed)
    found = read_model(
        config.models.detector or released_model("face-detector"), "face-detector"
    )
    judge = read_model(
        config.models.classifier or released_model("mask-classifier"), "mask-classifier"
    )
    return Networks(detector(found), classifier(judge), config)


def gate_settings(detector: ModelFile, classifier: ModelFile, config: Config) -> Settings:
    """Return the settings of *config* that fit the models.

    The detector's card tells from which score on a face is sure, the classifier's on which
    shares of the labels it was calibrated.
    """
    sure = _sure(detector)
    return Settings(
        tracker=TrackerSettings(start_score=sure, keep_score=sure * _DOUBTFUL),
        decision=decision_settings(
            config, min_score=min(1.0, sure + _SURER), priors=label_priors(classifier)
        ),
        policy=policy_settings(config),
    )


def label_priors(classifier: ModelFile) -> tuple[float, float, float]:
    """Return the label shares on the card of *classifier*; equal ones where it states none."""
    mask, bare, wrong = (
        float(classifier.card.decision.get(f"prior_{label}", 1 / len(LABELS))) for label in LABELS
    )
    return mask, bare, wrong


def thread_count(config: Config) -> int:
    """Return how many cores the networks use: by default all but one, 1 to 4."""
    return config.models.threads or max(1, min(4, (os.cpu_count() or 1) - 1))


def model_words(model: ModelFile) -> str:
    """Return *model*'s name, version and the start of its checksum."""
    return f"{model.card.name} {model.card.version} ({model.sha256[:12]})"


def _sure(detector: ModelFile) -> float:
    return float(detector.card.decision.get("score_threshold", 0.5))
