"""The benchmarks: what the buddy costs, each figure beside the raw ``openai`` client in
the same run.
"""
