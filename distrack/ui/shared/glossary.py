"""Terms of the field in plain words, for the hover texts of pages and for the glossary."""

GLOSSARY = {
    "Synthetic track": "A short sound that is computed, not recorded, so that a network trained on a few of them "
    "recognises real recordings.",
    "IPC": "Tracks per class (from “images per class”): the budget of a distillation. What is stored takes no more "
    "numbers than so many whole tracks.",
    "Floats": "Numbers stored per class, labels counted. Comparisons are made at an equal number of them.",
    "Matching loss": "How far tracks and real clips are apart in the latent space of networks that are drawn anew; "
    "distillation makes it small.",
    "MMD": "Maximum mean discrepancy: a distance of two sets of points that compares whole distributions, not their "
    "means alone.",
    "Ridge regression": "The last layer of a network, learnt from the tracks by one formula. How well it names the "
    "classes of real clips is a second loss, which sees all classes at once.",
    "Student": "A network that learns from the tracks while they form. Random networks show what tracks look like, "
    "students what they teach.",
    "Latent space": "The numbers that a network turns a clip into before it decides on a class.",
    "DCT": "Discrete cosine transform: it describes an image by cosine waves. Storing the strongest ones leaves room "
    "for more tracks in the same budget.",
    "Log-mel spectrogram": "Loudness in decibels over time and pitch, with pitch spaced as people hear it.",
    "MFCC": "A compact description of a log-mel spectrogram by its coarse shape.",
    "Inversion": "A spectrogram becomes sound again: the phases that it does not hold are estimated.",
    "Random CNN": "A small convolutional network that begins with random weights and learns from the tracks alone. Its "
    "accuracy on real test clips is the main figure.",
    "Prototype": "The mean of a class's tracks in the latent space. A clip gets the class of the nearest one.",
    "Random clips": "As many real clips as there are tracks, drawn at random: what distillation has to beat.",
    "Same-storage control": "Real clips that are stored as the tracks are, in as many numbers, and not distilled. The "
    "accuracy of the tracks minus theirs is what distillation adds to compression.",
    "As sound": "Tracks are exported as audio and analysed again, as anyone would who is given the audio.",
    "Augmentation-robust score": "ARS of DD-Ranking: the improvement over random clips, half of it measured with "
    "augmentation and half without, on a scale from 0 to 1; 0.269 is no improvement.",
    "Class mean": "The average of all training clips of a class, as a baseline.",
    "Herding": "Real clips that are chosen so that their mean stays close to the mean of their class.",
    "Membership attack": "Someone who has the tracks guesses which recordings they were made from. Counted is how many "
    "are recognised while hardly any other is taken for one of them.",
    "Macro F1": "Precision and recall in one figure, averaged over classes, so that small classes count as much.",
    "95% CI": "The interval that holds the true mean in 95 of 100 repetitions, by Student's t over seeds.",
    "Fold": "One of the parts that a dataset's authors divided it into. Cross-validation tests on each in turn.",
    "Preset": "A set of recommended settings. It may depend on dataset, budget and track length.",
    "Matching pursuit": "A sound is taken apart into events: the best one first, then the best of what is left.",
    "Splatting": "A sound is taken apart into smooth patches of noise and tone that are fitted all at once.",
    "Trained model": "A small network that has heard many synthetic scenes proposes the events of a sound: notes with "
    "a pitch, an envelope and a learnt timbre.",
    "Shared decoder": "Numbers of the small network that turns timbres into sound. It is the same for all clips of a "
    "model, so it is counted apart from the numbers stored for a clip.",
    "Events found (F)": "In synthetic scenes that were not trained on: the share of events that are found at their "
    "onset (within 50 ms) and pitch (within 50 cents). 1 means that all were found, and nothing else.",
    "Spectral convergence": "The distance of two magnitude spectrograms, relative to the first one. Lower is better.",
    "Scattering distance": "How differently two sounds are loud in bands, and how differently their loudness changes: "
    "two draws of the same noise are near. 0 for equal sounds, 1 for silence.",
    "Auditory image distance": "How differently the places of the inner ear repeat their vibrations: sounds of the "
    "same pitch are near. 0 for equal sounds, 1 for silence.",
    "Bits an event": "Bits of all events after coding, divided by their number. The numbers of an event are rounded "
    "while it is searched, and likely ones take fewer bits.",
    "SNR": "How much louder the sound is than what its events leave out, in decibels.",
}
