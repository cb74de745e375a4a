"""What comes after the last epoch: the best model is judged on the images held back, its confidences are measured, folds pooled."""

from __future__ import annotations

from core.confidence.kept import read_calibration
from core.dataset.folders import ImageFolders
from core.errors import UserError, describe_error
from core.model.calibration import calibrate_run
from core.model.evaluate import evaluate_run
from core.runs.bakeoff import list_siblings
from core.runs.journal import Interrupted, Journal
from core.verdicts.predictions import format_rate


def judge_best(journal: Journal, folders: ImageFolders) -> None:
    """Ask the best model about the images that neither trained nor chose it, and measure its confidences.

    Raises:
        Interrupted: when a stop or pause was asked for.
        UserError: when an image that was held back cannot be read.
    """
    if folders.held:
        journal.begin("judging the images held back")
        outcome = evaluate_run(journal.run, "held", progress=journal.count_done)
        if outcome is None:
            raise Interrupted(journal.asked())
        journal.write(f"held back Loss: {outcome.loss.mean():.4f} Acc: {outcome.accuracy:.4f}")
    measure_confidence(journal)


def measure_confidence(journal: Journal) -> None:
    """Measure how far the best model's confidences can be believed; where that fails, the training has not.

    Raises:
        Interrupted: when a stop or pause was asked for.
    """
    run = journal.run
    try:
        if read_calibration(run):
            return  # a run that was extended and found no better model
        journal.begin("measuring confidence")
        found = calibrate_run(run, progress=journal.count_done)
    except (UserError, OSError) as error:
        journal.write(f"Confidence not measured: {describe_error(error)}")
        return
    except Exception as error:
        journal.write(f"Confidence not measured: {journal.log_fault(error)}")
        return
    if found is None:
        raise Interrupted(journal.asked())
    journal.write(f"confidence ECE: {found.after.ece.value:.4f} Temperature: {found.temperature:.3f}")


def pool_when_last(journal: Journal) -> None:
    """Give the runs of all folds what they say together, once the last of them has finished; where that fails, no training has.

    Of two that finish at once both may do it, with the same result.
    """
    try:
        runs = list_siblings(journal.run)
        if not all(run.folder.exists() and run.read_status().state == "finished" for run in runs):
            return
        from core.model.out_of_sample import keep_pool, pool_folds  # brings what most runs do without

        pool = pool_folds(journal.run)
        for run in runs:
            keep_pool(run, pool)
    except (UserError, OSError) as error:
        journal.write(f"Folds not pooled: {describe_error(error)}")
    except Exception as error:
        journal.write(f"Folds not pooled: {journal.log_fault(error)}")
    else:
        journal.write(f"All {len(runs)} folds: {format_rate(pool.about.right, pool.about.judged)}")
