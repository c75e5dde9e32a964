"""A custom topic of Event Grid that keeps what it gets: publish over HTTPS, look by a back door."""

from sandbox.topic.server import RunningTopic, TopicOptions, start_topic

__all__ = ["RunningTopic", "TopicOptions", "start_topic"]
