"""What several tests share: fakes, scripted servers, kernels, browsers, attacks."""
